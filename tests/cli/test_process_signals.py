"""The process around a command: signals, streams that nobody reads, descriptors that are closed."""

import errno
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import typer

from zeuxis.cli.process import SIGNALS, Patient, run_command


@pytest.fixture(autouse=True)
def as_before():
    """A command leaves signals and streams changed, for its process ends with it."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    streams, hook = (sys.stdin, sys.stdout, sys.stderr), sys.unraisablehook
    yield
    sys.stdin, sys.stdout, sys.stderr = streams
    sys.unraisablehook = hook
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def code_of(work):
    with pytest.raises(SystemExit) as end:
        run_command(work)
    return end.value.code


@pytest.mark.parametrize("number", SIGNALS)
def test_any_signal_is_an_interrupt(number):
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    assert code_of(lambda: signal.raise_signal(number)) == 130


def test_a_hangup_that_is_ignored_stays_so():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert code_of(lambda: (signal.raise_signal(signal.SIGHUP), sys.exit(0))) == 0


def test_an_interrupt_outside_of_any_command_is_one_too(capfd):
    command = typer.Typer(add_completion=False)

    @command.command()
    def plain():
        raise KeyboardInterrupt

    assert code_of(lambda: command(args=[])) == 130
    assert "Interrupted." in capfd.readouterr().err


def test_an_interrupt_that_a_compiled_library_swallows_comes_again():
    def work():
        sys.unraisablehook(SimpleNamespace(exc_value=KeyboardInterrupt()))
        time.sleep(20)

    began = time.monotonic()
    assert code_of(work) == 130 and time.monotonic() - began < 10


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_other_ends_keep_their_code(code):
    assert code_of(lambda: sys.exit(code)) == code


def broken_pipe():
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.mark.parametrize("nowhere", [True, False])
def test_what_nobody_reads_is_dropped(nowhere):
    write = broken_pipe()
    stream = Patient(write, nowhere)
    assert stream.write(b"abc") == 3 and stream.write(b"de") == 2
    os.close(write)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_full_disk_behind_standard_output_is_said_once_and_behind_standard_error_never():
    full = os.open("/dev/full", os.O_WRONLY)
    stream = Patient(full, nowhere=False)
    with pytest.raises(OSError) as error:
        stream.write(b"abc")
    assert error.value.errno == errno.ENOSPC and stream.write(b"abc") == 3
    assert Patient(full, nowhere=True).write(b"abc") == 3
    os.close(full)


LINES = """
from zeuxis.cli.process import run_command
import os, sys
def work():
    for number in range(3):
        print("line", number)
        print("note", number, file=sys.stderr)
    print(os.open("/dev/null", os.O_RDONLY) > 2, file=sys.stderr)
    sys.exit(0)
run_command(work)
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{} | head -1; exit ${{PIPESTATUS[0]}}", "note 0"),
        ("{} 2>&1 | head -1; exit ${{PIPESTATUS[0]}}", ""),
        ("{} >&-", "True"),
        ("{} <&- >&- 2>&-", ""),
    ],
)
def test_a_reader_that_leaves_does_not_end_the_work(line, said, tmp_path):
    (tmp_path / "lines.py").write_text(LINES)
    command = line.format(f"{sys.executable} {tmp_path / 'lines.py'}")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and said in done.stderr
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr


EARLY = """
import os, signal, sys
class Hear:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.{})
sys.meta_path.insert(0, Hear())
from zeuxis.__main__ import main
main()
"""


@pytest.mark.parametrize("name", [number.name for number in SIGNALS])
def test_an_interrupt_while_python_still_imports_is_quiet(name):
    done = subprocess.run([sys.executable, "-c", EARLY.format(name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nInterrupted.\n")


def test_signals_while_an_interrupt_is_put_into_words_change_nothing(monkeypatch):
    monkeypatch.setattr("zeuxis.cli.process._open_streams", lambda: None)
    monkeypatch.setattr(signal, "signal", again(signal.signal))
    assert code_of(lambda: signal.raise_signal(signal.SIGHUP)) == 130


def again(real):
    """`signal.signal`, with more signals in between once SIGHUP has been heard."""

    def change(number, handler):
        if handler == signal.SIG_IGN:
            signal.raise_signal(signal.SIGTERM if number != signal.SIGTERM else signal.SIGHUP)
        return real(number, handler)

    return change


def test_models_are_pulled_without_torch():
    code = "import sys, zeuxis.cli.models, zeuxis.hub.download; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_error_that_compiled_code_makes_of_an_interrupt_is_one():
    from zeuxis.cli.main import _of_interrupt
    from zeuxis.cli.process import Interrupts
    from zeuxis.errors import RunUnwritable

    said = []

    def work():
        said.append(_of_interrupt(ValueError("something in a library")))
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        said.extend(map(_of_interrupt, (ValueError("something in a library"), RunUnwritable("the disk is full"))))

    code_of(work)
    assert said == [False, True, False]
    Interrupts.raised = False
