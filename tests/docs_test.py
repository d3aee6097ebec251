#!/usr/bin/env python3
"""The documentation's commands run, and its links lead somewhere."""
import re
import shlex

import assay_program
from assay_program import DATA, OK, ROOT, ProgramTest
from model_folder import ModelFolder

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def code_lines(text):
    """Lines of fenced and of indented code blocks, a line that ends in a backslash joined with the next."""
    fenced = False
    for line in text.replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip().removeprefix("$ ")


def assay_commands(page):
    """Argument lists of the page's `assay …` lines, without comments and what follows a pipe or redirection."""
    for line in code_lines(page.read_text()):
        if line.startswith("assay "):
            words = shlex.split(line, comments=True)
            end = next((i for i, word in enumerate(words) if word[0] in "|><&;"), len(words))
            yield words[1:end]


class Docs(ProgramTest):
    def help_of(self, *verb):
        return self.run_ok(*verb, "--help").out

    def test_name_only_verbs_and_options_that_exist(self):
        verbs = set(re.findall(r"^  (\w+) ", self.help_of().split("Subcommands:")[1], re.MULTILINE))
        options = {verb: set(re.findall(r"--[a-z][a-z-]*", self.help_of(verb))) for verb in verbs}
        for what in ("formats", "techniques", "calibration"):
            options["compare"] |= set(re.findall(r"--[a-z][a-z-]*", self.help_of("compare", what)))
        for page in PAGES:
            for words in assay_commands(page):
                with self.subTest(page=page.name, command=" ".join(words)):
                    self.assertIn(words[0], verbs)
                    used = {word.split("=")[0] for word in words if word.startswith("--")}
                    self.assertEqual(used - options[words[0]], set())

    def test_commands_of_the_readme_run_in_their_order(self):
        """In a folder with its MODEL (a tiny one), QUANT.gguf and MODEL.gguf; what one writes the next may read.

        Those that would take the whole text take two windows of it."""
        model = ModelFolder(self.outputs / "MODEL")
        model.add_byte_tokenizer()
        for name, stored in (("QUANT.gguf", "q4_0"), ("MODEL.gguf", "q8_0")):
            (self.outputs / name).symlink_to(DATA / "gguf" / f"llama-a-{stored}.gguf")
        commands = list(assay_commands(ROOT / "README.md"))
        self.assertNotEqual(commands, [])
        for words in commands:
            if "--max-windows" not in words and "--max-windows" in self.help_of(words[0]):
                words += ["--max-windows", "2"]
            with self.subTest(command=" ".join(words)):
                done = assay_program.run(*words, cwd=self.outputs)
                self.assertEqual(done.code, OK, done.err)

    def test_links_lead_to_files(self):
        for page in PAGES:
            for target in LINK.findall(page.read_text()):
                if "://" not in target:
                    self.assertTrue((page.parent / target).exists(), f"{page.name} links to {target}, which is not there")


if __name__ == "__main__":
    assay_program.main()
