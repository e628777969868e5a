"""The verdict: three sentences that other sections answer."""

from collections.abc import Sequence

from isthmus.reporting.blocks import Section, Text

# Questions of a verdict, and what it says if no section answers them.
QUESTIONS = {
    "quality": "How well the model does its task was not measured.",
    "problem": "No problem was found in the model or the rows.",
    "limit": "No limit of its use follows from the rows.",
}
# What a verdict says about problems if the doctor has no checks for the model, with and without a comparison of rows.
ONLY_ROWS = "The judged rows do not differ clearly from the training rows. The model itself was not examined."
NOT_EXAMINED = "Neither the model nor the rows were examined for problems: there are no checks for this kind of model."
# What a verdict says if the judged rows were not compared with the training rows, or are training rows.
ONLY_MODEL = "No problem was found in the model."
NOT_COMPARED = "No limit of its use was found, but it was not examined whether the rows differ from the training rows."


def give_verdict(sections: Sequence[Section]) -> Section:
    """Return the first answer to each question."""
    answers = dict(QUESTIONS)
    values = {section.name: section.values for section in sections}
    if "shift" not in values:
        answers["limit"] = NOT_COMPARED
    if "findings" not in values:
        answers["problem"] = ONLY_ROWS if "shift" in values else NOT_EXAMINED
    elif values.get("shift", {"are_training_rows": True})["are_training_rows"]:
        answers["problem"] = ONLY_MODEL
    for section in reversed(sections):
        answers |= {section.answers: section.lead} if section.answers else {}
    return Section("verdict", "Verdict", "", [Text(answer) for answer in answers.values()], answers)
