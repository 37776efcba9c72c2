"""Several processes on one memory: every interleaving of their stores, and kills of any of them.

A model has
  PRIVATE              -> process: {field of the World: its value in a process that was just born}
  start_world()        -> the World: plain immutable values, tuples and named tuples
  turns(world, who)    -> functions, World -> generator, one for each thing that the process may do
                          next (none: it waits), and whether nobody and no event can change that.
                          Every `yield` ends an atomic step and names it
  is_seen(name)        -> whether another process, an event or a judge may see the step at once
  events(world)        -> (name, function of a World) of what clients and the world around may do
  inspect(world, name) -> what is wrong after a step; judge(world) -> and where nothing can go on

A turn reads what the others have written at its first step and at no later one: it is run to its
end on a copy, and its stores are then made one by one, others' steps and kills between them. Who
must read twice ends its turn in between, and keeps what it has read in a private field, which a
kill takes away.

Every World that can come about is visited once, whatever the number of kills; but where a step is
seen by nobody else, what others might have done before it is done after it, which comes to the
same. The steps without a kill form no circle, so that every undisturbed run from anywhere ends, in
a World that was judged.
"""

import collections

NO_PLAN = 0


class World:
    """Shared memory, kernel, clients, what processes have in mind. All values are immutable."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def copy(self):
        """Another one, to be changed."""
        other = World.__new__(World)
        other.__dict__.update(self.__dict__)
        return other

    def key(self):
        """Equal exactly where the Worlds are: the fields never change in number or order."""
        return tuple(self.__dict__.values())


class Interleavings:
    """Breadth first over all Worlds."""

    def __init__(self, model):
        self.model = model
        self.plans = [None]  # number -> (step's name, ((field, value), ...), next plan)
        self.numbers = {}  # and back
        self.own = [False]  # number -> nobody else sees the step
        self.origin = {}  # key -> (key before, step's name)
        self.kills = 0
        self.steps = 0
        self.problems = []
        self.example = ''

    def __str__(self):
        return (
            f'{self.extent}, {self.steps} steps and {self.kills} kills from them: '
            f'{", ".join(self.problems) or "clean"}'
        )

    @property
    def extent(self):
        """How much was looked at."""
        return f'{len(self.origin)} worlds'

    def explore(self):
        """Until nothing new comes, or something is wrong."""
        first = self.model.start_world()
        first.__dict__.update({'plan of ' + who: NO_PLAN for who in self.model.PRIVATE})
        self.origin[first.key()] = None
        waiting = collections.deque([first])
        entering = collections.Counter()
        after = {}
        while waiting and not self.problems:
            world = waiting.popleft()
            key = world.key()
            after[key] = following = []
            for name, other in self._steps(world):
                if other is None:
                    self._kill(key, world, name, waiting)
                else:
                    self.steps += 1
                    following.append(self._visit(key, name, other, waiting))
            entering.update(following)
            if not following:
                self._note(self.model.judge(world), key)
        if not self.problems:
            self._find_circle(entering, after)
        return self

    def _steps(self, world):
        """What can come next: (name, World), kills apart as (process, None)."""
        found = []
        for who in self.model.PRIVATE:
            plan = getattr(world, 'plan of ' + who)
            turns, sure = ([], True) if plan != NO_PLAN else self.model.turns(world, who)
            plans = [plan] if plan != NO_PLAN else [self._plan(world, turn) for turn in turns]
            steps = [self._make_step(world, who, plan) for plan in plans] + [(who, None)]
            if sure and len(plans) == 1 and self.own[plans[0]]:
                return steps  # whatever the others do meanwhile, it comes to the same
            found += steps
        return found + [
            (name, self._changed(world, change)) for name, change in self.model.events(world)
        ]

    def _make_step(self, world, who, plan):
        """The first step of a plan."""
        name, stores, rest = self.plans[plan]
        return f'{who}: {name}', self._changed(
            world, lambda other: other.__dict__.update(stores + (('plan of ' + who, rest),))
        )

    @staticmethod
    def _changed(world, change):
        other = world.copy()
        change(other)
        return other

    def _plan(self, world, turn):
        """The stores of a turn, as a number: equal plans have the same."""
        scratch = world.copy()
        before = dict(world.__dict__)
        found = []
        for name in turn(scratch):
            stores = tuple(
                (field, value)
                for field, value in scratch.__dict__.items()
                if value is not before[field]
            )
            before.update(stores)
            found.append((name, stores))
        plan = NO_PLAN
        for name, stores in reversed(found):
            node = (name, stores, plan)
            plan = self.numbers.setdefault(node, len(self.plans))
            if plan == len(self.plans):
                self.plans.append(node)
                self.own.append(not self.model.is_seen(name))
        return plan

    def _kill(self, key, world, who, waiting):
        other = world.copy()
        other.__dict__.update(self.model.PRIVATE[who])
        other.__dict__['plan of ' + who] = NO_PLAN
        if other.key() != key:
            self.kills += 1
            self._visit(key, f'{who} KILLED', other, waiting)

    def _visit(self, key, name, world, waiting):
        found = world.key()
        if found not in self.origin:
            self.origin[found] = (key, name)
            waiting.append(world)
            self._note(self.model.inspect(world, name), found)
        return found

    def _find_circle(self, entering, after):
        """Take away, again and again, what no step leads to; a circle is left over."""
        ready = [key for key in after if key not in entering]
        gone = 0
        while ready:
            key = ready.pop()
            gone += 1
            for other in after[key]:
                entering[other] -= 1
                if not entering[other]:
                    ready.append(other)
        if gone < len(after):
            left = next(key for key in after if entering[key])
            self._note('runs in a circle', left)

    def _note(self, problem, key):
        if problem and not self.problems:
            self.problems.append(problem)
            self.example = f'{self.schedule(key)}: {problem}'

    def schedule(self, key):
        """The way to a World, in words: of steps of one process in a row, the last one."""
        names = []
        while self.origin[key]:
            key, name = self.origin[key]
            names.append(name)
        names.reverse()
        return '; '.join(
            name
            for name, following in zip(names, names[1:] + [''])
            if name.split(':')[0] != following.split(':')[0]
        )
