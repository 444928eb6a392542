"""What is deleted comes back; nothing else goes with it, and nothing stays for ever."""

import pytest

from vae import trash
from vae.errors import VisageError


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "faces"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def test_what_is_deleted_comes_back_whole(run):
    deleted = trash.throw(run)
    assert not run.exists() and deleted.name == "faces"
    assert (deleted.path / "config.json").read_text() == "{}"
    assert trash.kept(run.parent) == [deleted] or trash.kept(run.parent)[0].path == deleted.path
    assert trash.restore(trash.find(run.parent, "faces")) == run
    assert (run / "config.json").read_text() == "{}"
    assert list(run.parent.iterdir()) == [run]
    with pytest.raises(VisageError, match="not in the trash any more"):
        trash.restore(deleted)


def test_a_second_deletion_takes_nothing_else(run):
    known = trash.identity(run)
    trash.throw(run, known)
    with pytest.raises(VisageError, match="nothing was deleted"):
        trash.throw(run, known)
    # Another one has the name by now.
    run.mkdir()
    with pytest.raises(VisageError, match="nothing was deleted"):
        trash.throw(run, known)
    assert run.exists()


def test_the_latest_of_one_name_comes_back_and_never_over_another(run):
    trash.throw(run)
    run.mkdir()
    (run / "second").touch()
    trash.throw(run)
    run.mkdir()
    with pytest.raises(VisageError, match="another faces by now"):
        trash.restore(trash.find(run.parent, "faces"))
    run.rmdir()
    assert (trash.restore(trash.find(run.parent, "faces")) / "second").exists()
    assert len(trash.kept(run.parent)) == 1


def test_it_is_emptied_after_a_day_and_not_before(run, monkeypatch):
    deleted = trash.throw(run)
    now = trash.time.time()
    hours = 3600.0
    monkeypatch.setattr(trash.time, "time", lambda: now + 23 * hours)
    trash.empty(run.parent)
    assert deleted.path.exists()
    monkeypatch.setattr(trash.time, "time", lambda: now + 25 * hours)
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    trash.empty(run.parent)
    assert deleted.path.exists()
    monkeypatch.delenv("VISAGE_READ_ONLY")
    # The next deletion looks.
    other = run.with_name("other")
    other.mkdir()
    trash.throw(other)
    assert [one.name for one in trash.kept(run.parent)] == ["other"]
    with pytest.raises(VisageError, match="kept for 24 hours"):
        trash.find(run.parent, "faces")


def test_what_is_erased_is_gone(run):
    deleted = trash.throw(run)
    trash.erase(deleted)
    trash.erase(deleted)
    assert list(run.parent.iterdir()) == []


def test_what_cannot_be_moved_stays(run, monkeypatch):
    def refuse(path, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(trash.Path, "rename", refuse)
    with pytest.raises(VisageError, match="can't be deleted: Permission denied"):
        trash.throw(run)
    assert list(run.parent.iterdir()) == [run]
