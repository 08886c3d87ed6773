"""HTTP by TLS, with certificates that openssl makes."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2e.asking import ask, shell
from solveyard import trust
from solveyard.client import find
from solveyard.client.aio import AsyncClient
from solveyard.client.sync import Client
from solveyard.model.errors import ManagerUnavailable

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl here (Debian: apt-get install openssl)"
)


def made(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for `name`, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName=DNS:{name}",
    )  # fmt: skip
    key.chmod(0o600)
    return certificate, key


def expire(certificate: Path, key: Path) -> None:
    """Sign it again, for a day that is over."""
    request = str(certificate) + ".csr"
    _openssl("req", "-new", "-key", str(key), "-out", request, "-subj", "/CN=x")
    signed = ["-signkey", str(key), "-days", "-1", "-out", str(certificate)]
    _openssl("x509", "-req", "-in", request, *signed)


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


def options(certificate: Path, key: Path) -> list[str]:
    return ["--tls-certificate", str(certificate), "--tls-key", str(key)]


async def test_clients_trust_exactly_the_managers_certificate(service: Any, tmp_path: Path) -> None:
    certificate, key = made(tmp_path, "yard.example")
    yard = service(*options(certificate, key)).start()
    assert str(yard.told["url"]).startswith("https://127.0.0.1:")
    assert yard.told["certificate"] == str(certificate)
    known = find.running(yard.store)
    over_tcp = known._replace(socket="")
    with Client(over_tcp) as client:
        assert client.healthy()
    async with AsyncClient(over_tcp) as aclient:
        assert (await aclient.queue())["queued"] == 0
    other, _ = made(tmp_path, "other.example")
    for where in (over_tcp._replace(certificate=str(other)), over_tcp._replace(certificate="")):
        with Client(where) as client, pytest.raises(ManagerUnavailable, match="not trusted"):
            client.queue()
        async with AsyncClient(where) as aclient:
            with pytest.raises(ManagerUnavailable, match="not trusted"):
                await aclient.queue()
    nowhere = over_tcp._replace(certificate="/nothing")
    with Client(nowhere) as client, pytest.raises(ManagerUnavailable, match="cannot trust"):
        client.queue()


def test_over_tls_the_kernel_tells_the_account_and_cookies_are_secure(
    service: Any, tmp_path: Path
) -> None:
    certificate, key = made(tmp_path, "yard.example")
    yard = service(*options(certificate, key)).start()
    url, trusting = yard.told["url"], trust.pinned(certificate)
    assert ask(url, "GET", "/jobs", trust=trusting).status == 200
    passed = {"X-Forwarded-For": "192.0.2.7"}
    assert ask(url, "GET", "/jobs", headers=passed, trust=trusting).status == 401
    signed = ask(url, "POST", "/session", {"token": yard.told["token"]}, trust=trusting)
    assert "Secure" in signed.headers["set-cookie"].split("; ")


def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(
    service: Any, tmp_path: Path
) -> None:
    certificate, key = made(tmp_path, "yard.example")
    yard = service(*options(certificate, key)).start()
    url, old = yard.told["url"], trust.pinned(certificate)
    (tmp_path / "new").mkdir()
    renewed, its_key = made(tmp_path / "new", "yard.example")
    new = trust.pinned(renewed)
    shutil.copyfile(renewed, certificate)  # and its key not yet: they don't belong together
    assert ask(url, "GET", "/healthz", trust=old).status == 200
    its_key.replace(key)
    assert ask(url, "GET", "/healthz", trust=new).status == 200
    certificate.unlink()
    assert ask(url, "GET", "/healthz", trust=new).status == 200


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("no certificate", "--tls-certificate: `tls_certificate`: cannot read"),
        ("a pipe", "--tls-certificate: `tls_certificate`: the certificate"),
        ("no key", "--tls-key: `tls_key`: cannot read"),
        ("not both", "expected `tls_key` beside it"),
        ("open key", "chmod 600"),
        ("another key", "is not that of the certificate"),
        ("another kind of key", "is not that of the certificate"),
        ("expired", "expired"),
        ("nonsense", "holds no certificate"),
        ("nonsense behind it", "cannot use the certificate"),
        ("nonsense key", "holds no key"),
        ("encrypted", "openssl pkey"),
    ],
)
def test_what_cannot_be_used_is_said_at_the_start(
    service: Any, tmp_path: Path, wrong: str, said: str
) -> None:
    certificate, key = made(tmp_path, "yard.example")
    given = options(certificate, key)
    match wrong:
        case "no certificate":
            certificate.unlink()
        case "a pipe":
            certificate.unlink()
            os.mkfifo(certificate)
        case "no key":
            key.unlink()
        case "not both":
            given = given[:2]
        case "open key":
            key.chmod(0o640)
        case "another key":
            made(tmp_path, "other.example")[1].replace(key)
        case "another kind of key":
            _openssl("genpkey", "-algorithm", "ed25519", "-out", str(key))
        case "expired":
            expire(certificate, key)
        case "nonsense":
            certificate.write_text("nonsense")
        case "nonsense behind it":
            begin, end = (f"-----{word} CERTIFICATE-----\n" for word in ("BEGIN", "END"))
            certificate.write_text(f"{certificate.read_text()}{begin}nonsense\n{end}")
        case "nonsense key":
            key.write_text("nonsense")
        case "encrypted":
            words = ["ec", "-aes128", "-passout", "pass:x", "-in", str(key)]
            _openssl(*words, "-out", str(key) + "2")
            Path(str(key) + "2").replace(key)
            key.chmod(0o600)
    done = shell(service(), "serve", "--port", "0", *given)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("wrong", ["tls_certificate", "tls_key"])
def test_config_check_names_which_of_the_two_files_will_not_do_and_the_way_out(
    service: Any, tmp_path: Path, wrong: str
) -> None:
    certificate, key = made(tmp_path, "yard.example")
    files = {"tls_certificate": certificate, "tls_key": key}
    settings = tmp_path / "config.toml"
    settings.write_text("".join(f'{name} = "{path}"\n' for name, path in files.items()))
    settings.chmod(0o600)
    assert shell(service(), "config", "check", str(settings)).returncode == 0
    files[wrong].unlink()
    done = shell(service(), "config", "check", str(settings))
    assert done.returncode == 7, done.stderr
    place = list(files).index(wrong) + 1
    assert f"{settings}:{place}: `{wrong}`: cannot read {files[wrong]}: " in done.stderr
    assert "(name a file that is there" in done.stderr
