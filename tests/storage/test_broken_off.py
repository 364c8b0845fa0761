"""What a kill leaves of a file that was being written does not make a folder a strange one, for any command."""

import pytest

from zeuxis.errors import ZeuxisError
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.experiments.results import Results
from zeuxis.prompts.series import folders
from zeuxis.run.store import check_usable
from zeuxis.studies.folder import StudyFolder
from zeuxis.studies.questions import settings_of

LEFT = (".probe-4711.part", ".run.json.part", ".best.png.part", ".evaluation.json.part", ".design.json.part")


def of_compare(path):
    from zeuxis.experiments.design import Design

    design = Design(variants=("ga",), phrases=("a red disc",), seeds=1, populations=(4,), generator="toy")
    ExperimentFolder(path).open(design)


LOOKS = {
    "run": check_usable,
    "prompts": lambda path: folders([("a red disc",), ("a blue disc",)], path),
    "evaluate": lambda path: StudyFolder(path).finished(settings_of("similarity", {})),
    "experiment": lambda path: Results(path).check(),
    "compare": of_compare,
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_broken_off_file_is_no_strange_one(name, tmp_path):
    for left in LEFT:
        (tmp_path / left).write_bytes(b"half")
    LOOKS[name](tmp_path)


@pytest.mark.parametrize("name", LOOKS)
def test_any_other_file_is(name, tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ZeuxisError, match=r"holds (something else|'mine.txt')"):
        LOOKS[name](tmp_path)
