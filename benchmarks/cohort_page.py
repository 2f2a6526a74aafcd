"""Writes docs/cohort.md, the tutorial of `trichotrack cohort`, with the numbers of data/cohort; --check compares.

uv run benchmarks/cohort_page.py
"""

from __future__ import annotations

from pages import ROOT, keep, table, wrapped

from trichotrack.cohort.analysis import CohortAnalysis, analyse
from trichotrack.cohort.sentences import number_text, odds_text, p_text, sections
from trichotrack.cohort.tables import COLUMNS, read_cohort
from trichotrack.cohort.terms import shown
from trichotrack.report.cohort_page import share_text

DOCUMENT = ROOT / "docs" / "cohort.md"

PAGE = """\
# Who responded: `trichotrack cohort`

Made by `uv run benchmarks/cohort_page.py`, which runs the command's analysis on `data/cohort`; do not edit. **That
cohort is synthetic** ([what is kept and what is assumed](../data/cohort/README.md)): its numbers teach how to read
a result, and say nothing about a drug.

```
trichotrack cohort data/cohort --out cohort-report
```

writes `cohort.html` (one page that needs nothing but itself), `results.json`, and a CSV of each table, and prints
the sentences that are read out below.

## What it takes

A folder with `patients.csv`, `salt.csv` and, where adverse events were recorded, `events.csv`; .xlsx, `;` and
decimal commas do as well. Every fault of every table is told at once.

| table | needed | with a meaning, where there |
|---|---|---|
| `patients` | `patient` | {columns} |
| `salt` | `patient`, `salt`, and `month` or `date` | |
| `events` | `patient`, `kind` | `grade`, 1 to 5 |

AA types are patchy, multiplex, ophiasis, totalis and universalis. Yes and no are 1 and 0; eyebrow and eyelash are
ClinRO grades, 0 to 3. Any other column of `patients` becomes a predictor to choose. A month counts from the start
of treatment; a date needs `start` in `patients`. `synthetic` set to 1 puts a banner on the page.

Baseline is the last SALT on or before treatment start. List everyone who was treated, also those who stopped: they
are the difference between the two columns below. A baseline more than three months old is said to be. Where days are
told, whoever was not assessed and whose month had not passed when the data end (the last day in `salt`; of a record,
of a visit or SALT of anybody) is left out: nobody yet knows.

From a record: `trichotrack cohort trichotrack.sqlite --drug "drug A" --out cohort-report`. Month 0 is the first
start of that treatment, which must be known to the day. Densities of reviewed readings become columns:
`active_load_m0` (last visit on or before the start),
`active_load_m2` (two months in). Adverse events count from that start on; those whose date leaves it
open whether they began before it are counted, and how many they are is said. A record into which
nobody entered an adverse event says that they were not recorded, not that there were none.

## Who responded

{response}

{endpoints}

*Read it so.* Of the {treated} treated, {seen} were seen at nine months. Counting only these gives {completers};
counting whoever was not seen as a non-responder gives {imputed}. Neither is wrong, they answer two questions; the
first one flatters when people stop because nothing grows. The analysis set is named first on the page, and
non-responder imputation is the default.

SALT50 is a fall of SALT by at least half. The improvement rate, (SALT₀ − SALT) / SALT₀, has no value at a baseline
of 0; where a patient got worse it is negative, and stays so.

## By subgroup

{groups}

*Read it so.* {ophiasis} with ophiasis and {multiplex} with multiplex responded, completers counted. The intervals
are wide because the groups are small. On the page every patient is a mark by AA type: in totalis and universalis
there are those who regrow and those who do not, and hardly anyone at the mean.

## When

{time}

*Read it so.* SALT ≤ 20 is *seen* at a visit; it *came* some time since the visit before. Kaplan–Meier takes the
visit for the day. Turnbull's estimate takes only what is known, the stretch between two visits.

## What goes with response

{logistic}

{odds}

*Read it so.* {epv} A rule of thumb asks for ten. With fewer, maximum likelihood exaggerates, and where a predictor
splits the responses completely it has no finite answer at all; that is named as *separation*. Firth's estimate is
pulled towards 1 and stays finite: read that column. The interval matters more than the number: {widest}.

`--predictors "duration_years,sex,pulse"` chooses others: a column, a cut (`duration_years<=4`), or a number per so
many units (`age/10`). A group such as `aa_type` is compared with its most frequent value. A column whose name ends
in `_m2` was found two months in: then those who had responded by then, or were not seen later, are left out (a
landmark), and their number is told. Patients with a gap in a predictor are left out, and their number is told too.

## How well that predicts

{prediction}

*Read it so.* The first number of each pair is too good, since the model has seen the answers. The second takes off
what a bootstrap shows of that. It still is no validation: only other patients are.

## What goes with the improvement rate

{linear}

## Adverse events

{events}

*Read it so.* Patients, not events, are counted, of all treated. None of grade 3 or more among {treated} does not
mean that there are none: the interval says how many percent remain possible.

## Counts over visits

```
trichotrack cohort counts study --out counts-report --outcome black_dot --months 2,4
trichotrack cohort counts trichotrack.sqlite --drug "drug A" --out counts-report
```

`study` holds `patients.csv` (`patient, arm`) and `counts.csv` (`patient, month` or `date`,
`outcome, count, area_cm2`; a blank count is unknown, never 0). A visit counts for the nearest month within
`--window`; baseline is the last visit on or before the start. Densities by arm × visit, their ratio to baseline,
and, given the baseline density, arm against arm, by generalised estimating equations with log link and log-area
offset, clustered by patient. The working correlation is independence. Below 40
patients the covariance is bias-reduced and t quantiles are used. From a
record only reviewed readings enter.

## The predictive score

```
trichotrack cohort score study --out scores
```

The Alopecia Areata Predictive Score (Waśkiel-Burnat 2020, doi 10.1111/jocd.13064): one point down for each of black
dots, broken, exclamation-mark and tapered hairs, one up for each of upright regrowing and pigtail hairs, at two
months (± 0.5). It is refused, with the reason, outside patchy alopecia, outside that window, on unreviewed
readings, and where one of the six signs was not looked for. It rests on 65 patients, is not validated for JAK
inhibitors, and is here for research on cohorts. `signs.csv` has
`patient`, `month` or `date`, `black_dot`, `broken_hair`, `exclamation_mark_hair`, `tapered_hair`,
`upright_regrowing_hair`, `pigtail_hair`, `reviewed_by`.
A reading has tapering hairs as one class: where some were found, a record alone cannot give the score.

## Export

```
trichotrack cohort export trichotrack.sqlite --out tables
```

`counts.csv` has one row per capture and sign, with status, count, area, scale and its source, model, author and
reviewer. A refused sign is `NA` with its reason, never 0. `codebook.csv` tells what every column of every table
means. Dates are those of the record: shift them before the tables leave the clinic.

## Where the methods come from

Wilson 1927; Kaplan and Meier 1958 (lifelines); Turnbull 1976; logistic regression by statsmodels; Firth 1993 and
Heinze and Schemper 2002 (firthmodels), with profile likelihood intervals; separation after Konis 2007; intercept of
predictions after Puhr 2017; optimism after Harrell 1996; HC3 after MacKinnon and White 1985; generalised estimating
equations with the covariance of Mancl and DeRouen 2001. `tests/test_cohort_*.py` hold each to published or
hand-worked numbers.
"""


def page() -> str:
    found = analyse(read_cohort(ROOT / "data" / "cohort"))
    said = {section.name: _items(section.sentences) for section in sections(found)}
    first = found.endpoints[0]
    groups = {one.group: one.completers for one in found.subgroups if one.column == "aa_type"}
    rows = found.regressions.logistic.rows
    widest = max(rows, key=lambda row: row.firth.high / row.firth.low)
    return wrapped(
        PAGE.format(
            **said,
            endpoints=table(
                ("endpoint", "non-responders imputed", "completers"),
                [(one.name, share_text(one.imputed), share_text(one.completers)) for one in found.endpoints],
            ),
            groups=_subgroups(found),
            columns=", ".join(f"`{column}`" for column in COLUMNS["patients"] if column != "patient"),
            odds=table(
                ("predictor", "maximum likelihood", "p", "Firth", "p"),
                [
                    (row.name, odds_text(row.likelihood), p_text(row.likelihood.p), odds_text(row.firth),
                     p_text(row.firth.p))
                    for row in rows
                ],
            ),
            treated=found.people.treated,
            seen=len(found.people.completers),
            completers=share_text(first.completers),
            imputed=share_text(first.imputed),
            ophiasis=share_text(groups["ophiasis"]),
            multiplex=share_text(groups["multiplex"]),
            epv=f"{found.regressions.logistic.responders} responders over {len(rows)} predictors are "
            f"{found.regressions.logistic.events_per_variable:.1f} a predictor.",
            widest=f"for “{widest.name}” anything from {number_text(widest.firth.low)} to "
            f"{number_text(widest.firth.high)} fits these patients",
        )
    )  # fmt: skip


def _items(sentences: tuple[str, ...]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _subgroups(found: CohortAnalysis) -> str:
    return table(
        ("group", "non-responders imputed", "completers"),
        [
            (f"{shown(one.column)}: {one.group}", share_text(one.imputed), share_text(one.completers))
            for one in found.subgroups
        ],
    )


if __name__ == "__main__":
    keep(DOCUMENT, page, __doc__ or "")
