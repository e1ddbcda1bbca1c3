"""When a change of files is noticed: once, and only after it has stood still."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.watch import Watch, signature

SETTLE = 5.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text("one")
    return file


def touch(path: Path, seconds: int) -> None:
    """Give a file another time of change: two writes within a test can have the same."""
    os.utime(path, (seconds, seconds))


def test_nothing_changed_nothing_told(file: Path) -> None:
    watch = Watch(SETTLE, [file])
    assert not any(watch.look([file], now) for now in (0.0, 10.0, 1000.0))


def overwritten(file: Path) -> None:
    file.write_text("another length")


def same_size(file: Path) -> None:
    file.write_text("two")
    touch(file, 1)


def replaced(file: Path) -> None:
    """As editors and Kubernetes do: another file takes its place, with the same size and time."""
    new = file.with_suffix(".new")
    new.write_text("two")
    found = file.stat()
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
    new.rename(file)


def removed(file: Path) -> None:
    file.unlink()


def linked_elsewhere(file: Path) -> None:
    target = file.with_name("target")
    target.write_text("one")
    file.unlink()
    file.symlink_to(target)


@pytest.mark.parametrize("change", [overwritten, same_size, replaced, removed, linked_elsewhere])
def test_a_change_is_told_once_after_it_has_stood_still(file: Path, change: Callable[[Path], None]) -> None:
    watch = Watch(SETTLE, [file])
    change(file)
    looks = {now: watch.look([file], now) for now in (100.0, 104.9, 105.0, 106.0, 1000.0)}
    assert looks == {100.0: False, 104.9: False, 105.0: True, 106.0: False, 1000.0: False}


def test_while_a_file_is_being_written_nothing_is_told(file: Path) -> None:
    """Each change begins the wait anew."""
    watch = Watch(SETTLE, [file])
    for second in range(1, 60):
        touch(file, second)
        assert not watch.look([file], 100.0 + second)
    assert not watch.look([file], 163.0)
    assert watch.look([file], 164.0)


@pytest.mark.parametrize(
    "change", [lambda file: file.chmod(0o600), lambda file: os.chown(file, -1, os.getgid())]
)
def test_who_may_read_a_file_is_a_change_too(file: Path, change: Callable[[Path], None]) -> None:
    """A renewed key is written first and becomes readable then: what failed is tried again."""
    watch = Watch(SETTLE, [file])
    change(file)
    assert [watch.look([file], now) for now in (100.0, 105.0, 110.0)] == [False, True, False]


def test_a_file_that_appears_or_newly_belongs_to_them_is_a_change(file: Path, tmp_path: Path) -> None:
    """A password file that was missing; another file that matches the pattern of account files."""
    other = tmp_path / "other.yaml"
    watch = Watch(SETTLE, [file, other])
    other.write_text("now here")
    assert [watch.look([file, other], now) for now in (100.0, 105.0)] == [False, True]
    third = tmp_path / "third.yaml"
    assert [watch.look([file, other, third], now) for now in (200.0, 205.0)] == [False, True]


def test_order_and_repetition_of_the_files_are_no_change(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    watch = Watch(SETTLE, [file, other])
    assert not any(watch.look([other, file, other], now) for now in (0.0, 100.0))


def test_the_target_of_a_link_is_what_counts(file: Path, tmp_path: Path) -> None:
    """Kubernetes swaps a directory's link: the path and the link itself stay the same."""
    (tmp_path / "v1").mkdir()
    (tmp_path / "v2").mkdir()
    for version in ("v1", "v2"):
        (tmp_path / version / "password").write_text("same size")
    (tmp_path / "data").symlink_to("v1")
    path = tmp_path / "data" / "password"
    watch = Watch(SETTLE, [path])
    (tmp_path / "data").unlink()
    (tmp_path / "data").symlink_to("v2")
    assert [watch.look([path], now) for now in (100.0, 105.0)] == [False, True]
    assert file.exists()


def test_a_change_while_the_files_were_read_is_not_missed(file: Path, tmp_path: Path) -> None:
    """What was known before the reading counts, not what is there after it."""
    before = signature([file])
    same_size(file)
    new = tmp_path / "newly named.yaml"
    watch = Watch(SETTLE, [file, new], before)
    assert [watch.look([file, new], now) for now in (100.0, 105.0, 110.0)] == [False, True, False]
