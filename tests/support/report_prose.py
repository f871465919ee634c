"""The words of a findings report, and the rules that they keep."""

import re

from marquee.insights.report import Report

JARGON = re.compile(
    r"\b(ndcg|rmse|embedding|logit|auc|softmax|bootstrap|jackknife|cosine"
    r"|people|persons?|films?|somebody|everybody|nobody|cannot be told)\b",
    re.IGNORECASE,
)
MAX_WORDS, MAX_NUMBERS = 25, 2


def prose(report: Report) -> list[str]:
    """Return all texts for product managers; the metrics for analysts are left out."""
    texts = [report.title, *report.notes, *report.limits, report.how_to_read, report.summary_title]
    for finding in report.findings:
        texts += [finding.title, finding.sentence, finding.meaning]
        texts += [finding.action, finding.how_sure, finding.chart.title if finding.chart else ""]
    return texts


def check_short_sentences(report: Report) -> None:
    """Names in quotes, of data sets, ratings, and years of movies are no numbers."""
    for text in prose(report):
        plain = re.sub(r"“[^”]*”|\(\d{4}\)|ml-\w+|95% interval", "NAME", text)
        plain = re.sub(r"\b\d+ of \d+\b", "RATING", plain)
        for sentence in re.split(r"(?<=[.?!]) ", plain):
            assert len(sentence.split()) <= MAX_WORDS, sentence
            assert len(re.findall(r"\d[\d.,]*", sentence)) <= MAX_NUMBERS, sentence
