"""An ansysedt that is looked for where the job runs, since nobody here can see that machine.

The shell's part looks where `installations` looks, after the job's modules and prologue.
"""

from collections.abc import Sequence

FOLDER = "/{ansysem}"  #: stands for the folder of the ansysedt that is found
PROGRAM = f"{FOLDER}/ansysedt"
#: Releases and folders, the newest first; of those with an ansysedt the first is taken.
_SEARCH = r"""
found=$({
env | sed -n 's/^ANSYSEM_ROOT\([0-9]\{3\}\)=\(.*\)/\1 \2/p'
env | sed -n 's/^ANSYSEM_ROOT\([0-9]\{3\}\)=\(.*\)/\1 \2\/AnsysEM/p'
env | sed -n 's/^AWP_ROOT\([0-9]\{3\}\)=\(.*\)/\1 \2\/AnsysEM/p'
printf '%s\n' "$PATH" | tr : '\n' | sed -n 's/^\(.*\/v\([0-9]\{3\}\)\/.*\)$/\2 \1/p'
for at in /ansys_inc /usr/ansys_inc /usr/local/ansys_inc /opt/ansys_inc /opt/AnsysEM /usr/AnsysEM
do for below in AnsysEM Linux64 AnsysEM/Linux64; do for each in "$at"/v[0-9][0-9][0-9]/$below
do each=${each#"$at"/v}; echo "${each%%/*} $at/v$each"; done; done; done
command -v ansysedt | sed -n 's/^\(\/.*\)\/ansysedt$/0 \1/p'
} | sort -rns -k1,1 | while read -r release at
do if [ -x "$at/ansysedt" ]; then printf '%s' "$at"; break; fi; done)
if [ -z "$found" ]
then echo "no ansysedt was found on $(uname -n): by ANSYSEM_ROOTxxx, AWP_ROOTxxx, PATH or the" \
"usual folders (load its module, or give ansys_edt_path as it is there)" >&2; exit 122; fi
for word
do shift; case $word in *FOLDER*) word=${word%%FOLDER*}$found${word#*FOLDER};; esac
set -- "$@" "$word"; done
exec "$@"
"""


def argv(command: Sequence[str]) -> tuple[str, ...]:
    """`command`, in which FOLDER stands for what is found; 122 where nothing is."""
    text = _SEARCH.strip().replace("FOLDER", f"'{FOLDER}'")
    return ("/bin/sh", "-c", text, "ansysedt", *command)
