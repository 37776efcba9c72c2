#!/usr/bin/env python3
"""Run every model and every mutant, two processes at a time; the last line is the tally.

A design passes when it is clean, a mutant when it is caught.
"""

import multiprocessing
import sys
import time

from cases import DESIGNS, MUTANTS, make_model
from explorer import Explorer
from interleavings import Interleavings

PROCESSES = 2


def explore(name, model, kills, is_mutant=False):
    """The report of one worker's model, or of that of both side by side."""
    if name == 'receipts':
        return Interleavings(model).explore()
    return Explorer(model, every_instant=not is_mutant).explore(kills, stop_at_first=is_mutant)


def run_design(case):
    """Every kill and second kill; nothing may be wrong at any instant."""
    model, scenario, kills = case
    report = explore(model, make_model(model, scenario), kills)
    text = f'{report}' + (f'; {report.example}' if report.example else '')
    return not report.problems, f'{model}, {scenario}: {text}'


def run_mutant(case):
    """Until the first failure, judged at the end of a run as a user would."""
    model, scenario, mutant = case
    report = explore(model, make_model(model, scenario, mutant), 2, is_mutant=True)
    caught = bool(report.problems)
    text = f'caught, {report.example}' if caught else 'NOT CAUGHT'
    return caught, f'mutant of {model}, {scenario}, "{mutant}": {report.extent}, {text}'


def run_case(case):
    """One line for one case."""
    started = time.monotonic()
    passed, text = run_design(case[1:]) if case[0] == 'design' else run_mutant(case[1:])
    return passed, f'{"ok  " if passed else "FAIL"} {text} [{time.monotonic() - started:.1f} s]'


def main():
    """Longest cases first, so that both processes end together."""
    cases = [('design',) + case for case in reversed(DESIGNS)]
    cases += [('mutant',) + case for case in MUTANTS]
    failed = 0
    with multiprocessing.Pool(PROCESSES) as pool:
        for passed, line in pool.imap_unordered(run_case, cases):
            failed += not passed
            print(line, flush=True)
    print(f'{len(cases) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
