"""The machinery of the crash models: run a program, kill it at every step, judge what is left.

A model is a class with
  start_world()  -> the World before the first start: shared memory, kernel, brokers
  run(world)     -> a generator, the program from its start. Every `yield` is a kill point; what
                    is yielded is the step's name. Only the World outlives a kill.
  judge(world)   -> names of what is wrong after an undisturbed end ('lost', 'doubled', ...)
  inspect(world, step) -> the same after a step, for what must hold at that instant

A model yields TURN at the top of its loop, where nothing private matters: what follows depends
on the World alone. There the explorer recognizes a World it has already followed to its end.
That changes no verdict and leaves nothing out; it makes all kills x all second kills affordable.
"""

import collections
import dataclasses
import marshal

TURN = 'turn'


class Record:
    """Named fields of plain values: ints, strings, tuples, lists, None, or further Records."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


class World(Record):
    """All that outlives a kill."""


class Broken(Exception):
    """A broken invariant or an answer that must never come; its text is the verdict."""


def pack(world):
    """Freeze a World into bytes that are equal exactly when the Worlds are."""
    return marshal.dumps(_plain(world), 2)


def unpack(packed):
    """Thaw a World."""
    world = World()
    world.__dict__ = _rich(marshal.loads(packed)).__dict__
    return world


def _plain(value):
    if isinstance(value, Record):
        return {name: _plain(field) for name, field in vars(value).items()}
    if isinstance(value, list) and value and isinstance(value[0], Record):
        return [_plain(field) for field in value]
    return value


def _rich(value):
    if isinstance(value, dict):
        record = Record()
        record.__dict__ = {name: _rich(field) for name, field in value.items()}
        return record
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_rich(field) for field in value]
    return value


@dataclasses.dataclass
class Report:
    """What an exploration found."""

    steps: int = 0              # of the run without a kill
    pairs: int = 0              # schedules of a kill and a second kill in the run after it
    worlds: int = 0             # different Worlds that kills left behind, each run to its end
    kills: int = 0              # schedules of up to so many kills were tried
    closed: bool = False        # no further kill leads anywhere new: holds for any number
    problems: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    example: str = ''

    @property
    def extent(self):
        """How much was looked at."""
        return f'{self.pairs} pairs'

    def __str__(self):
        depth = 'any number of kills' if self.closed else f'{self.kills} kills'
        found = ', '.join(f'{name} {count}' for name, count in sorted(self.problems.items()))
        return (f'{self.steps} steps, {self.pairs} pairs, {self.worlds} worlds ({depth}): '
                f'{found or "clean"}')


class Explorer:
    """Breadth first over Worlds by number of kills."""

    def __init__(self, model, every_instant=True):
        self.model = model
        self.every_instant = every_instant      # inspect at every step, not just at the end
        self.report = Report()
        self.ends = {}          # World at a TURN -> (steps from there to the end, problems)
        self.origin = {}        # World left by a kill -> (World before the run, step, its name)

    def explore(self, kills=2, stop_at_first=False):
        """Try every schedule of up to `kills` kills (None: until nothing new comes)."""
        level = [pack(self.model.start_world())]
        self.origin[level[0]] = None
        depth = 0
        while level and not (stop_at_first and self.report.problems):
            level = self._run_level(level, depth, depth == kills, stop_at_first)
            self.report.kills = depth
            depth += 1
            if kills is not None and depth > kills:
                break
        else:
            self.report.closed = not self.report.problems
        self.report.worlds = len(self.origin)
        return self.report

    def _run_level(self, level, depth, last, stop_at_first):
        """Run every World of one number of kills; the Worlds that one more kill leaves."""
        following = []
        for packed in level:
            steps, problems, left = self._follow(packed, not last)
            following += left
            if depth == 0:
                self.report.steps = steps
            elif depth == 1:
                self.report.pairs += steps
            for problem in problems:
                self.report.problems[problem] += 1
            if problems and not self.report.example:
                self.report.example = f'{self._schedule(packed)}: {", ".join(problems)}'
            if problems and stop_at_first:
                break
        return following

    def _follow(self, packed, keep):
        """Run a World to the end, or to a TURN known from before.

        Returns the number of steps to the end, the problems and, if `keep`, the new Worlds
        that a kill at one of the steps leaves behind.
        """
        left, turns = [], {}
        steps = more = 0
        problems = []
        world = unpack(packed)
        try:
            for name in self.model.run(world):
                steps += 1
                problems = self.model.inspect(world, name) if self.every_instant else []
                if problems:
                    break
                if not keep and name != TURN:
                    continue
                frozen = pack(world)
                if keep and frozen not in self.origin:
                    self.origin[frozen] = (packed, steps, name)
                    left.append(frozen)
                if name != TURN:
                    continue
                if frozen in self.ends:
                    more, problems = self.ends[frozen]
                    break
                if frozen in turns:
                    raise Broken('stuck')
                turns[frozen] = steps
            else:
                problems = self.model.judge(world)
        except Broken as broken:
            problems = [str(broken)]
        steps += more
        for turn, done in turns.items():
            self.ends[turn] = (steps - done, problems)
        return steps, problems, left

    def _schedule(self, packed):
        """The kills that lead to a World, in words."""
        kills = []
        while self.origin[packed]:
            packed, step, name = self.origin[packed]
            kills.append(f'killed after step {step} ({name})')
        return ', then '.join(reversed(kills)) or 'no kill at all'
