"""What the sandbox's worker hands to the guest, without a runtime."""

from pathlib import Path

from vibethinker_local.sandbox import worker


def test_the_sources_of_a_package_are_its_modules() -> None:
    found = dict(worker.sources("vibethinker_local.sandbox"))
    folder = Path(worker.__file__).parent
    assert found["vibethinker_local.sandbox"] == (folder / "__init__.py").read_text(encoding="utf-8")
    assert found["vibethinker_local.sandbox.guest"] == worker.GUEST.read_text(encoding="utf-8")


def test_a_package_that_is_not_installed_has_none() -> None:
    assert worker.sources("no_package_of_this_name") == []
