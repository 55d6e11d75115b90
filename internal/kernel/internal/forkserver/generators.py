class Generators:
    """Every generator of random numbers in this process, and whether somebody
    gave it a seed. A child starts those anew that nobody seeded; the others
    continue as they would in a program of their own.

    Generators are found among all objects that the collector knows, whatever
    holds them: modules, classes, closures, slots, caches, bound methods."""

    def __init__(self):
        self.drawn = set()  # what the system has given to modules and cells
        self.given = {}  # id of a random.Random: weak reference, was its seed chosen?
        self.anew = []  # what a child calls
        self.originals = random.Random.seed, random.Random.setstate, os.urandom
        seed, setstate, urandom = self.originals

        @functools.wraps(seed)
        def watched_seed(generator, a=None, version=2):
            seed(generator, a, version)
            if self.drawn is not None:  # a module may have kept this function
                self.note(generator, not self.by_chance(a))

        @functools.wraps(setstate)
        def watched_setstate(generator, state):
            setstate(generator, state)
            if self.drawn is not None:
                copied = any(state == g.getstate() for g in self.unseeded() if g is not generator)
                self.note(generator, not copied)

        def watched_urandom(size, /):
            data = urandom(size)
            if self.drawn is not None:
                self.drawn.update((data, int.from_bytes(data, "big"), int.from_bytes(data, "little")))
            return data

        self.install(watched_seed, watched_setstate, watched_urandom)

    def install(self, seed, setstate, urandom):
        random.Random.seed, random.Random.setstate = seed, setstate
        random.seed, random.setstate = random._inst.seed, random._inst.setstate
        os.urandom = random._urandom = urandom

    def rest(self):
        """Watch no more."""
        self.drawn = None
        self.install(*self.originals)

    def note(self, generator, given):
        key = id(generator)
        self.given[key] = weakref.ref(generator, lambda _: self.given.pop(key, None)), given

    def unseeded(self):
        known = [reference() for reference, given in list(self.given.values()) if not given]
        return [random._inst] * (not self.is_given(random._inst)) + [g for g in known if g is not None]

    def is_given(self, generator):
        return self.given.get(id(generator), (None, False))[1]

    def by_chance(self, seed):
        """Would another process get another seed from the same code? So it is if
        the system drew it, if it is the time, or a fraction with many digits."""
        if seed is None:
            return True
        if isinstance(seed, (bytes, bytearray)):
            return bytes(seed) in self.drawn
        if not isinstance(seed, (int, float)):
            return False
        if seed in self.drawn or isinstance(seed, float) and seed != round(seed, 6):
            return True
        return abs(seed) < 1e20 and any(abs(seed / unit - time.time()) < 3600 for unit in (1, 1e3, 1e6, 1e9))

    def find(self, sources=""):
        """Note what a child has to start anew. Return the module of what cannot
        be, and why. sources are the cells that were executed."""
        self.anew = []
        numpy = sys.modules.get("numpy.random")
        kinds, found = instances(numpy)
        state = random.getstate() if self.is_given(random._inst) else None
        if state is not None:
            self.anew.append(lambda: random.setstate(state))  # Python has given the child another
        kept = []
        for g in found:
            if isinstance(g, kinds["bits"]):
                if self.is_drawn(g):
                    kept.append(g)
            elif isinstance(g, kinds["states"]):
                self.drop_spare(g)
            elif not isinstance(g, kinds["twister"]):
                if not wraps(g, kinds["all"]):
                    return unfit(g)
            elif g is not random._inst and not self.is_given(g):
                kept.append(g)
        if kept and numpy is not None and sets_state(sources):
            own = [g for g in kept if isinstance(g, kinds["bits"])]
            if any(g is not numpy.mtrand._rand._bit_generator for g in own):
                return "", "cells set the state of a random generator, and which one is not known"
            kept = [g for g in kept if g not in own]
        for g in kept:
            if not starts_anew(g):
                return unfit(g)
            self.anew.append(functools.partial(start_anew, g))
        torch = sys.modules.get("torch")
        if torch is not None and torch.initial_seed() >= 1 << 32:
            self.anew.append(torch.seed)
        return "", ""

    def is_drawn(self, bits):
        """Has a generator of numpy its seed from the system?"""
        return self.by_chance(getattr(getattr(bits, "_seed_seq", None), "entropy", False))

    def drop_spare(self, state):
        """Forget the second number of a pair that was drawn before the fork."""
        if self.is_drawn(state._bit_generator):
            all = state.get_state(legacy=False)
            if all["has_gauss"]:
                state.set_state({**all, "has_gauss": 0, "gauss": 0.0})

    def start(self):
        """In a child: numbers of its own."""
        for call in self.anew:
            call()


def instances(numpy):
    """All generators there are, and their kinds. Those of C that the collector
    does not know are found through what refers to them."""
    kinds = {"twister": (random.Random.__base__,), "bits": (), "states": ()}
    if numpy is not None:
        kinds["bits"], kinds["states"] = (numpy.BitGenerator,), (numpy.RandomState,)
    kinds["all"] = kinds["twister"] + kinds["bits"] + kinds["states"]
    gc.unfreeze()  # what is frozen is not listed
    objects = gc.get_objects()
    judged, found = {}, {}
    for first in range(0, len(objects), 20000):
        some = objects[first : first + 20000]
        for batch in some, gc.get_referents(*filter(is_small, some)):
            met = set(map(type, batch))
            judged.update((kind, draws(kind, kinds["all"])) for kind in met.difference(judged))
            wanted = {kind for kind in met if judged[kind]}
            if wanted:
                found.update((id(o), o) for o in batch if type(o) in wanted)
    del objects, some, batch
    gc.freeze()
    return kinds, [o for o in found.values() if not isinstance(o, random.SystemRandom)]


def is_small(o):
    """Is it no mass of data, which would take long to look through?"""
    return type(o) not in (list, tuple, dict, set, frozenset) or len(o) < 100000


def draws(kind, known):
    """Is this a type of generators? A foreign one can be seeded and drawn from."""
    try:
        if issubclass(kind, known):
            return True
        has = lambda *names: any(callable(getattr(kind, name, None)) for name in names)
        return (not issubclass(kind, (type, types.ModuleType)) and has("seed", "manual_seed", "setstate", "set_state")
                and has("random", "randint", "rand", "getrandbits", "random_raw", "next_double", "uniform"))
    except Exception:
        return False


def wraps(generator, known):
    """Does a foreign generator draw from one that is known?"""
    seen, todo = set(), [generator]
    while todo and len(seen) < 1000:
        o = todo.pop(0)
        if isinstance(o, known):
            return True
        for inner in gc.get_referents(o):
            if id(inner) not in seen and not isinstance(inner, (type, types.ModuleType, types.FunctionType)):
                seen.add(id(inner))
                todo.append(inner)
    return False


def start_anew(generator):
    if isinstance(generator, random.Random) and type(generator).seed is random.Random.seed:
        random.Random.seed(generator)
    elif isinstance(generator, random.Random.__base__):
        generator.seed()
    else:
        generator.__init__()


def starts_anew(generator):
    """Try it: nobody has seeded it, so any state is as good."""
    state = (lambda: generator.getstate()) if hasattr(generator, "getstate") else (lambda: str(generator.state))
    try:
        before = state()
        start_anew(generator)
        return state() != before
    except Exception:
        return False


def sets_state(sources):
    return "set_state" in sources or re.search(r"\.state\s*=[^=]", sources) is not None


def unfit(generator):
    kind = type(generator)
    return kind.__module__.partition(".")[0], (
        "%s.%s is a generator of random numbers that cannot be started anew for each run" % (kind.__module__, kind.__qualname__))


