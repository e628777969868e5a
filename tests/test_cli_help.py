"""The help of the command line: an example for each command, and completion in the shell."""

import re
import shlex

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from isthmus.cli.app import app
from isthmus.cli.commands import INPUTS

COMMANDS = get_command(app).commands


def examples_of(*command):
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0, result.output
    block = re.search(r"^  Examples:\n((?:  \$ isthmus .*\n)+)", result.stdout, re.MULTILINE)
    assert block, f"the help of {command} has no examples"
    return [shlex.split(line)[2:] for line in block[1].splitlines()]


def parse(arguments, folder):
    """Parse the arguments of an example in a folder with the files that it reads."""
    name, *arguments = arguments
    command = COMMANDS[name]
    with command.context_class(command, resilient_parsing=True) as context:
        values = command.make_parser(context).parse_args(list(arguments))[0]
    for parameter in INPUTS:
        if isinstance(values.get(parameter), str):
            (folder / values[parameter]).touch()
    return command.make_context(name, arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_in_the_help_of_a_command_are_valid(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in examples_of(command):
        assert arguments[0] == command
        assert parse(arguments, tmp_path).params.keys() >= {parameter.name for parameter in COMMANDS[command].params}


def test_the_examples_in_the_help_of_the_program_are_valid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [parse(arguments, tmp_path).command.name for arguments in examples_of()] == ["look", "fit", "transform"]


def test_an_example_with_an_unknown_option_would_be_found(tmp_path):
    with pytest.raises(Exception, match="No such option: --modle"):
        parse(["fit", "customers.csv", "--modle", "vae"], tmp_path)


def complete(line, word):
    environment = {"_ISTHMUS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(word)}
    return CliRunner().invoke(app, [], prog_name="isthmus", env=environment).stdout.split()


def test_the_shell_completes_commands_and_options():
    assert complete("isthmus tr", 1) == ["transform"]
    assert complete("isthmus fit --mo", 2) == ["--model"]


def test_the_list_of_commands_has_whole_sentences():
    words = " ".join(CliRunner().invoke(app, ["--help"], terminal_width=80).stdout.split())
    for name, command in COMMANDS.items():
        summary = command.help.split("\n\n")[0]
        assert f"{name} {' '.join(summary.split())}" in words


def files_of(arguments, folder):
    """Return the model files that an example reads, and the files that it writes."""
    values = parse(arguments, folder).params
    given = [value for value in arguments if value.endswith(".safetensors")]
    written = [str(values[name]) for name in ("out", "save", "to") if values.get(name)]
    if arguments[0] in ("fit", "tune") and not values.get("out"):
        written.append(arguments[1].replace(".csv", ".safetensors"))
    return {*given} - {*written}, written


def test_the_examples_in_the_help_run_in_one_folder(tmp_path, monkeypatch):
    """No example would replace a file of another one, and the model files that they read are written by examples."""
    monkeypatch.chdir(tmp_path)
    files = [files_of(arguments, tmp_path) for command in COMMANDS for arguments in examples_of(command)]
    read, written = {name for each, _ in files for name in each}, [name for _, each in files for name in each]
    assert sorted(written) == sorted({*written})
    assert read <= {*written}
    assert {"vae.safetensors", "detector.safetensors"} <= read
