"""mirror --watch, interrupts and outages: real processes, signals, and a server that is killed."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20


@pytest.fixture
def src(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    return folder


def test_changes_of_a_folder_are_carried_over(
    start: Any, remote: Any, src: Path, files: Any
) -> None:
    def alike() -> bool:
        return bool(files.contents(src) == remote.objects())

    (src / "first").write_text("1")
    watch = start("mirror", "--watch", "--overwrite", "--remove", src, remote.address)
    watch.wait_for_text("watching")
    assert remote.objects() == {"first": b"1"}

    (src / "created").write_text("1")
    watch.wait_for(alike, "a file is created")
    (src / "created").write_text("2")
    watch.wait_for(alike, "a file is changed")
    (src / "deep" / "er").mkdir(parents=True)
    (src / "deep" / "er" / "x").write_text("x")
    watch.wait_for(alike, "a folder is created")
    (src / "deep").rename(src / "moved")
    watch.wait_for(alike, "a folder is renamed")
    (src / "first").unlink()
    watch.wait_for(alike, "a file is removed")
    (src / "moved" / "er" / "x").rename(src / "x")
    watch.wait_for(alike, "a file is renamed")
    (src.parent / "staged").mkdir()
    for index in range(50):
        (src.parent / "staged" / f"f{index}").write_text(str(index))
    (src.parent / "staged").rename(src / "staged")
    watch.wait_for(alike, "a folder is moved in")
    (src / "staged").rename(src.parent / "gone")
    watch.wait_for(alike, "a folder is moved out")
    assert watch.stop() == 143


def test_rapid_rewrites_end_with_the_last_content(start: Any, remote: Any, src: Path) -> None:
    watch = start("mirror", "--watch", "--overwrite", src, remote.address)
    watch.wait_for_text("watching")
    for round_ in range(300):
        (src / "busy").write_bytes(random.randbytes(200_000) + str(round_).encode())
    last = (src / "busy").read_bytes()
    watch.wait_for(lambda: remote.objects().get("busy") == last, "the last content arrives")
    assert "error" not in watch.log()
    assert watch.stop() == 143


def test_a_queue_of_events_that_ran_over_is_made_good_by_comparing_everything(
    start: Any, remote: Any, src: Path
) -> None:
    """The watcher is stopped, so that the kernel has to drop what happens last."""
    (src / "old").write_bytes(b"1")
    kept = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    options = ("mirror", "--watch", "--overwrite", "--remove", "--rescan", "0")
    watch = start(*options, src, remote.address)
    watch.wait_for_text("watching")
    watch.process.send_signal(signal.SIGSTOP)
    (src / "a").write_bytes(b"a")
    (src / "b").write_bytes(b"b")
    for _ in range(kept // 2):
        os.utime(src / "a")
        os.utime(src / "b")
    (src / "new" / "deep").mkdir(parents=True)
    (src / "new" / "deep" / "c").write_bytes(b"c")
    (src / "old").unlink()
    watch.process.send_signal(signal.SIGCONT)
    whole = {"a": b"a", "b": b"b", "new/deep/c": b"c"}
    watch.wait_for(lambda: remote.objects() == whole, "what the kernel did not tell is found")
    (src / "new" / "deep" / "d").write_bytes(b"d")
    watch.wait_for(lambda: "new/deep/d" in remote.objects(), "the new folders are watched")
    assert watch.stop() == 143


def test_without_remove_deletions_are_not_carried_over(start: Any, remote: Any, src: Path) -> None:
    (src / "gone").write_text("1")
    watch = start("mirror", "--watch", src, remote.address)
    watch.wait_for_text("watching")
    (src / "gone").unlink()
    (src / "after").write_text("2")
    watch.wait_for(lambda: "after" in remote.objects(), "a later change arrives")
    assert {"gone", "after"} == remote.objects().keys()
    assert watch.stop(signal.SIGINT) == 130


def test_what_happens_during_the_first_comparison_is_not_missed(
    start: Any, remote: Any, src: Path, files: Any
) -> None:
    files.fill(src, 300)
    done = threading.Event()

    def churn() -> None:
        index = 0
        while not done.is_set():
            index += 1
            (src / f"new{index:04}").write_text(str(index))
            if index % 3 == 0:
                (src / f"new{index - 1:04}").unlink()
            done.wait(0.005)

    churner = threading.Thread(target=churn)
    churner.start()
    try:
        watch = start("mirror", "--watch", "--overwrite", "--remove", src, remote.address)
        watch.wait_for_text("watching")
    finally:
        done.set()
        churner.join()
    watch.wait_for(lambda: files.contents(src) == remote.objects(), "both sides are alike")
    assert watch.stop() == 143


def test_a_bucket_is_watched_by_polling(
    start: Any, remote: Any, tmp_path: Path, files: Any
) -> None:
    remote.put("a/b", b"1")
    target = tmp_path / "dst"
    watch = start(
        "mirror",
        "--watch",
        "--overwrite",
        "--remove",
        "--interval",
        "200ms",
        remote.address,
        target,
    )
    watch.wait_for(lambda: files.contents(target) == {"a/b": b"1"}, "the first object arrives")
    remote.put("a/b", b"2")
    remote.put("c", b"3")
    watch.wait_for(lambda: files.contents(target) == {"a/b": b"2", "c": b"3"}, "changes arrive")
    remote.delete("a/b")
    remote.delete("c")
    watch.wait_for(lambda: files.contents(target) == {}, "deletions arrive")
    assert watch.stop(signal.SIGINT) == 130


def test_a_watch_outlives_the_server_and_catches_up(
    start: Any, outage: Any, src: Path, files: Any
) -> None:
    remote = outage.remote
    (src / "a").write_text("1")
    watch = start("mirror", "--watch", "--overwrite", "--remove", src, remote.address)
    watch.wait_for_text("watching")
    outage.kill()
    (src / "b").write_text("2")
    watch.wait_for_text("trying again")
    (src / "c").write_text("3")
    (src / "a").unlink()
    outage.restart()
    watch.wait_for(lambda: files.contents(src) == remote.objects(), "it catches up")
    assert remote.objects() == {"b": b"2", "c": b"3"}
    assert watch.stop() == 143


def test_a_folder_that_goes_away_ends_the_watch_and_keeps_the_objects(
    start: Any, remote: Any, src: Path
) -> None:
    (src / "a").write_text("1")
    watch = start("mirror", "--watch", "--remove", src, remote.address)
    watch.wait_for_text("watching")
    src.rename(src.with_name("elsewhere"))
    assert watch.process.wait(30) == 5
    assert remote.objects() == {"a": b"1"}


def test_a_server_killed_in_the_middle_fails_the_run_and_the_next_one_completes_it(
    start: Any, outage: Any, src: Path, files: Any
) -> None:
    remote = outage.remote
    for index in range(600):
        (src / f"f{index:03}").write_bytes(random.randbytes(100_000))
    run = start("mirror", "--retry", "1", src, remote.address)
    run.wait_for(lambda: run.log().count("->") > 20, "some files are copied")
    outage.kill()
    assert run.process.wait(60) in (3, 7)
    assert "error: " in run.log()
    copied = run.log().count("->")
    assert 20 < copied < 600

    outage.restart()
    assert copied <= len(remote.objects())
    second = start("mirror", src, remote.address)
    assert second.process.wait(60) == 0
    assert files.contents(src) == remote.objects()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupted_upload_leaves_nothing_behind(
    start: Any, remote: Any, src: Path, number: int, code: int
) -> None:
    with (src / "big").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 256 * MIB)
    # So slow that it is still at it when the signal comes.
    run = start("--limit-upload", "16M", "mirror", src, remote.address)
    run.wait_for(
        remote.uploads,
        "the upload has begun",
    )
    assert code == run.stop(number)
    assert remote.uploads() == []
    assert remote.objects() == {}


def test_an_interrupted_download_leaves_nothing_behind(
    start: Any, remote: Any, bad_line: Any, tmp_path: Path
) -> None:
    bad_line(cut_after_bytes=1 << 40, pause_s=0.02)
    remote.put("big", bytes(60 * MIB))
    target = tmp_path / "dst"
    run = start("cp", f"bad-line/{remote.bucket}/big", f"{target}/")
    run.wait_for(lambda: target.exists() and os.listdir(target), "the download has begun")
    assert run.stop(signal.SIGINT) == 130
    assert os.listdir(target) == []


def test_a_watch_tells_prometheus_what_it_did(start: Any, remote: Any, src: Path) -> None:
    (src / "a").write_bytes(b"12345")
    watch = start("mirror", "--watch", "--monitoring-address", ":0", src, remote.address)
    watch.wait_for_text("watching")
    (url,) = re.findall(r"monitoring at (http://127.0.0.1:\d+/metrics)", watch.log())

    def metrics() -> dict[str, str]:
        with urllib.request.urlopen(url) as answer:
            lines = answer.read().decode().splitlines()
        return dict(line.split() for line in lines if not line.startswith("#"))

    assert metrics()["ingot_mirror_copied_bytes_total"] == "5"
    (src / "b").write_bytes(b"67")
    watch.wait_for(lambda: metrics()["ingot_mirror_copied_total"] == "2", "the change is counted")
    assert watch.stop() == 143


def test_two_mirrors_facing_each_other_come_to_rest(
    start: Any, remote: Any, src: Path, files: Any
) -> None:
    def alike() -> bool:
        return bool(files.contents(src) == remote.objects())

    options = ("mirror", "--watch", "--overwrite")
    remote.put("there", b"1")
    there = start(*options, remote.address, src)
    there.wait_for_text("watching")
    here = start(*options, src, remote.address)
    here.wait_for_text("watching")
    (src / "here").write_text("2")
    here.wait_for(lambda: "here" in remote.objects(), "it goes there")
    remote.put("later", b"3")
    there.wait_for((src / "later").exists, "it comes here")
    remote.put("here", b"4")
    there.wait_for(lambda: (src / "here").read_bytes() == b"4", "a change comes back")
    here.wait_for(alike, "both are alike")
    assert (here.stop(), there.stop()) == (143, 143)
    assert here.log().count(" -> ") == 1
    assert there.log().count(" -> ") == 3


def test_what_was_too_young_is_copied_when_it_is_old_enough(
    start: Any, remote: Any, src: Path
) -> None:
    watch = start(
        *("mirror", "--watch", "--older-than", "3s", "--rescan", "500ms", src, remote.address)
    )
    watch.wait_for_text("watching")
    (src / "late").write_text("1")
    watch.wait_for(lambda: remote.objects() == {"late": b"1"}, "it is old enough")
    assert watch.stop() == 143
