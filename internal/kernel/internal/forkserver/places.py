class Places:
    """Where the server is, as modules have noted it: its working directory and
    its temporary directory. A child is elsewhere, and so is what a child starts:
    multiprocessing has its children import from the directory it noted."""

    def __init__(self):
        self.cwd = os.getcwd()
        self.here = {self.cwd: "cwd"}
        temp = os.environ.get("TMPDIR")
        if temp:  # else it is everybody's
            self.here[temp] = self.here[os.path.realpath(temp)] = "temp"
        self.notes = []  # module, name, which place
        self.path = []  # indices of sys.path

    def find(self):
        """Note which modules hold the name of a place."""
        self.notes = [(module, name, self.here[str(value)])
                      for module in list(sys.modules.values()) if isinstance(module, types.ModuleType)
                      for name, value in list(vars(module).items())
                      if (type(value) is str or isinstance(value, pathlib.PurePath)) and str(value) in self.here]
        self.path = [i for i, entry in enumerate(sys.path) if within(entry, self.cwd)]

    def move(self, cwd):
        """In a child whose environment is its own: be in cwd, unless it is None."""
        there = {"cwd": cwd, "temp": os.environ.get("TMPDIR")}
        for module, name, place in self.notes:
            if there[place]:
                setattr(module, name, type(getattr(module, name))(there[place]))
        for i in self.path if cwd else ():
            sys.path[i] = cwd + sys.path[i][len(self.cwd) :]


def within(path, directory):
    return isinstance(path, str) and (path == directory or path.startswith(directory + os.sep))
