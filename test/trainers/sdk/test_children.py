"""A training's children and threads: they neither speak for it nor outlive it."""

from __future__ import annotations

import re
import signal

from conftest import Start
from test_application import HEAD, said
from trainer_process import until


def test_children_do_not_hold_the_protocol(start: Start) -> None:
    """Forked and spawned children outlive the trainer; the worker sees the end of its events all the same."""
    script = """
app = epochal.Application(trainer)
say(f"- open in a program: {subprocess.check_output(['ls', '-l', '/proc/self/fd']).count(b'pipe')}")
for _ in range(2):
    if os.fork() == 0:
        for number in (3, 4):
            try:
                os.fstat(number)
                os.write(2, b"still open\\n")
            except OSError:
                pass
        app.note("a child must not speak")
        time.sleep(10**6)
train_epochs(app)
app.stop()
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 0  # and end() waits for the end of the events
    assert trainer.stopped == (3, 0)
    assert not trainer.of("note")
    assert "still open" not in trainer.log
    assert said(trainer) == ["- open in a program: 1"]  # its stdout


def test_sigterm_ends_a_forked_child_and_not_by_the_trainers_handler(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
child = os.fork()
if child == 0:
    open(app.get_synced_data_dir() + "/lives", "w").close()
    time.sleep(10**6)
wait_for(app.get_synced_data_dir() + "/lives")  # before that, Python itself forgets a signal
os.kill(child, 15)
say("- child ended by signal " + str(os.waitpid(child, 0)[1]))
train_epochs(app)
app.stop()
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 0
    assert said(trainer) == ["- child ended by signal 15"]


def test_a_forked_child_that_exits_does_not_report_the_end(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
app.call_before_shutdown(lambda: say("- callback"))
child = os.fork()
if child == 0:
    sys.exit(5)
say("- child's status " + str(os.waitpid(child, 0)[1] >> 8))
train_epochs(app)
app.stop()
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 0
    assert trainer.stopped == (3, 0)
    assert said(trainer) == ["- child's status 5", "- callback"]


def test_the_sdks_threads_are_daemons(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
say(f"- {len(others)} {all(thread.daemon for thread in others)}")
app.stop()
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 0
    assert said(trainer) == ["- 1 True"]


def test_a_dump_of_all_stacks(start: Start) -> None:
    trainer = start(parameters={"ignore_stop": "1:2"})
    trainer.wait_for("batch", batch=1)

    def has_dump() -> bool:
        trainer.process.send_signal(signal.SIGUSR1)  # again and again: the first may find it on its way there
        return bool(re.search(r'counter.py", line \d+ in work', trainer.log))

    until(has_dump, trainer.account)
    assert trainer.log.count("Thread 0x") >= 1  # all threads, not only this one
