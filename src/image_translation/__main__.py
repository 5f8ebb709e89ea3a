"""Run the packaged project: ``image-translation --pipeline=colorization``."""

from pathlib import Path

from kedro.framework.project import configure_project


def main() -> None:
    """Run a pipeline; accepts the options of ``kedro run``."""
    configure_project(Path(__file__).parent.name)
    from image_translation.cli.run import run

    run()


if __name__ == "__main__":
    main()
