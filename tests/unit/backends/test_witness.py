"""The times of a record, wherever its job ran."""

from pathlib import Path

from solveyard.backends.batch import staging, witness
from solveyard.backends.dialects import record
from solveyard.backends.dialects.record import Record

BEGUN = '{"attempt":"a","native":"7","host":"n1","up":80.25,"now":80.25}\n'
ENDED = BEGUN.replace('"now":80.25', '"now":83.5,"stage":"command","code":0')


def test_a_record_that_was_brought_here_keeps_the_times_that_it_had_there(tmp_path: Path) -> None:
    place = tmp_path / "7.record"
    staging._replace(place, BEGUN.encode(), 1_700_000_000)
    told = record.read(*witness._as_written(place))
    assert isinstance(told, Record)
    assert (told.began, told.ended) == (1_700_000_000, None)
    staging._replace(place, (BEGUN + ENDED).encode(), 1_700_000_004)
    told = record.read(*witness._as_written(place))
    assert isinstance(told, Record)
    assert (told.began, told.ended) == (1_700_000_000.75, 1_700_000_004)
