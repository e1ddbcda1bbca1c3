"""The marker `process`: no way to start one goes unnoticed, and those that are known to start one have it."""

import pytest

PLUGINS = ("-p", "tests.support.processes", "-p", "no:asyncio")
MARKERS = "[pytest]\nmarkers =\n    process: as in this project\n    peer(name): as in this project"

WAYS = {
    "subprocess": "import subprocess; subprocess.run(['true'], check=True)",
    "asyncio": (
        "import asyncio\n"
        "    async def one(): await (await asyncio.create_subprocess_exec('true')).wait()\n"
        "    asyncio.run(one())"
    ),
    "os": "import os; os.system('true')",
    "posix_spawn": "import os; os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
    "multiprocessing": (
        "import multiprocessing as m\n"
        "    one = m.get_context('spawn').Process(target=print); one.start(); one.join()"
    ),
}

FIXTURES = """
import subprocess, pytest

@pytest.fixture(scope="module")
def shared():
    subprocess.run(["true"], check=True)

@pytest.fixture
def processes():
    yield

@pytest.mark.process
def test_first(shared): ...

def test_second(shared): ...

def test_by_its_fixture(processes): subprocess.run(["true"], check=True)

@pytest.mark.peer("php")
def test_by_its_peer(): subprocess.run(["true"], check=True)

def test_none(): ...
"""


@pytest.mark.process
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_starts_one_unmarked_fails(pytester: pytest.Pytester, way: str) -> None:
    pytester.makepyfile(f"def test_it():\n    {way}")
    pytester.makeini(MARKERS)
    result = pytester.runpytest_inprocess(*PLUGINS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*it starts a process: mark it with pytest.mark.process*"])


@pytest.mark.process
def test_a_fixture_s_process_counts_for_all_that_are_given_it(pytester: pytest.Pytester) -> None:
    """Chosen by the marks, the second would be the first."""
    pytester.makepyfile(FIXTURES)
    pytester.makeini(MARKERS)
    result = pytester.runpytest_inprocess(*PLUGINS)
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["*it starts a process by the fixture shared: mark it*"])


def test_the_marks_choose(pytester: pytest.Pytester) -> None:
    """As `make quick` does."""
    pytester.makepyfile(FIXTURES)
    pytester.makeini(MARKERS)
    result = pytester.runpytest_inprocess(*PLUGINS, "-m", "not process", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*::test_second", "*::test_none", "*2/5 tests collected*"])


@pytest.mark.xdist_group("packaging")
def test_those_of_a_group_stay_in_one_process_of_tests(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells a group by the end of a test's name, which it can't change in pytest 9.2."""
    assert request.node.nodeid.endswith("@packaging") == getattr(request.config.option, "loadgroup", False)
