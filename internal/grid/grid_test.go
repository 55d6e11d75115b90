package grid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fanout-dev/fanout/internal/value"
)

// mistakeCases are sweep files that are wrong, and what is said of each.
var mistakeCases = []struct{ name, spec, want string }{
	{"empty file", "", "the file is empty"},
	{"not a map", "[1, 2]", "want a map"},
	{"broken YAML", "template: [", "sweep.yaml:"},
	{"two documents", "template: t.ipynb\n---\ngrid: {x: [1]}", "one document"},
	{"no template", "grid: {x: [1]}", "`template` is missing"},
	{"no grid", "template: t.ipynb", "`grid` is missing"},
	{"two grids", "template: t.ipynb\ngrid: {x: [1]}\nlist: [{x: 1}]", "both define the points"},
	{"unknown key", "template: t.ipynb\ngird: {x: [1]}", "2:1: unknown key `gird`, did you mean `grid`?"},
	{"unknown key below", "template: t.ipynb\ngrid: {x: [1]}\ntimeout: {cel: 3s}", "unknown key `cel`, did you mean `cell`?"},
	{"duplicate key", "template: t.ipynb\ngrid: {x: [1], x: [2]}", "key `x` is here twice"},
	{"empty axis", "template: t.ipynb\ngrid: {x: []}", "axis `x` has no values"},
	{"scalar axis", "template: t.ipynb\ngrid: {x: 3}", "has one value, not a list"},
	{"duplicate value", "template: t.ipynb\ngrid: {x: [1, 2, 1]}", "has the value 1 twice"},
	{"NaN", "template: t.ipynb\ngrid: {x: [.nan]}", "is not a value"},
	{"infinity", "template: t.ipynb\ngrid: {x: [-.inf]}", "is not a value"},
	{"leading zero", "template: t.ipynb\ngrid: {x: [012]}", "could be a string, a decimal or an octal"},
	{"run_ prefix", "template: t.ipynb\ngrid: {run_x: [1]}", "reserved for columns"},
	{"names differing in case", "template: t.ipynb\ngrid: {x: [1], X: [2]}", "differ only in case"},
	{"axis shadows constant", "template: t.ipynb\nparameters: {x: 1}\ngrid: {x: [1]}", "`x` is an axis here"},
	{"exclude matches nothing", "template: t.ipynb\ngrid: {x: [1, 2]}\nexclude: [{x: 3}]", "exclude: no point matches x = 3"},
	{"exclude names nothing", "template: t.ipynb\ngrid: {xray: [1, 2]}\nexclude: [{xrya: 1}]", "nothing in the grid is called `xrya`, did you mean `xray`?"},
	{"baseline matches nothing", "template: t.ipynb\ngrid: {x: [1]}\nbaseline: {x: 2}", "baseline: no point matches x = 2"},
	{"baseline does not vary", "template: t.ipynb\nparameters: {y: 1}\ngrid: {x: [1]}\nbaseline: {y: 1}", "nothing the grid varies is called `y`"},
	{"limits on nothing", "template: t.ipynb\ngrid: {x: [1]}\nlimits: {z: 1}", "limits: nothing in the grid is called `z`"},
	{"cyclic derive", "template: t.ipynb\ngrid: {x: [1]}\nderive: {y: x + z, z: y + 1}", "derived from itself"},
	{"derive unknown", "template: t.ipynb\ngrid: {x: [1]}\nderive: {y: w + 1}", "nothing is called `w`"},
	{"where is no question", "template: t.ipynb\ngrid: {x: [1]}\nwhere: x + 1", "neither true nor false"},
	{"where is no expression", "template: t.ipynb\ngrid: {x: [1]}\nwhere: 'x +'", "expression"},
	{"zip of unequal lengths", "template: t.ipynb\nzip: {x: [1], y: [1, 2]}", "must be equally long: `x` has 1, `y` has 2"},
	{"range that leads nowhere", "template: t.ipynb\ngrid: {x: {range: {from: 1, to: 2, step: -1}}}", "a step of -1 does not lead from 1 to 2"},
	{"logspace below zero", "template: t.ipynb\ngrid: {x: {logspace: {from: 0, to: 2, n: 3}}}", "above zero"},
	{"dates backwards", "template: t.ipynb\ngrid: {x: {dates: {from: 2026-02-01, to: 2026-01-01}}}", "is after `to`"},
	{"no such date", "template: t.ipynb\ngrid: {x: {dates: {from: 2026-02-30, to: today}}}", "not a date"},
	{"no such zone", "template: t.ipynb\ngrid: {x: {dates: {from: today, to: today, tz: Europe/Atlantis}}}", "Atlantis"},
	{"halt", "template: t.ipynb\ngrid: {x: [1]}\nhalt: sometimes", "want never, or now or soon"},
	{"negative retries", "template: t.ipynb\ngrid: {x: [1]}\nretries: -1", "at least 0"},
	{"env name", "template: t.ipynb\ngrid: {x: [1]}\nenv: {A-B: 1}", "not the name of an environment variable"},
	{"secret name", "template: t.ipynb\nparameters: {k: {secret: 'a b'}}\ngrid: {x: [1]}", "not the name of an environment variable"},
	{"name is a path", "name: ../x\ntemplate: t.ipynb\ngrid: {x: [1]}", "cannot be the name of a folder"},
	{"merge keys", "template: t.ipynb\nenv: &e {A: 1}\ngrid:\n  <<: *e\n  x: [1]", "merge keys"},
	{"aliases that multiply", bomb(), "its aliases multiply"},
	{"rows of nothing", "template: t.ipynb\nfrom: rows.csv", "rows.csv has no rows"},

	{"comments only", "# nothing\n", "the file is empty"},
	{"null", "~", "the file is empty"},
	{"a second document that is broken", "template: t.ipynb\n---\n[", "sweep.yaml:"},
	{"unknown key far from any", "template: t.ipynb\nrepeat: 2\nzebra: 1", "unknown key `zebra`"},
	{"key that is no word", "template: t.ipynb\nrepeat: 2\n? [a]\n: 1", "a key must be a word"},
	{"empty key", "template: t.ipynb\ngrid: {'': [1]}", "a key must be a word"},
	{"duplicate key at the top", "template: t.ipynb\ntemplate: u.ipynb\nrepeat: 2", "2:1: key `template` is here twice; the first is on line 1"},
	{"axis of nothing", "template: t.ipynb\ngrid: {x: }", "axis `x` has no values"},
	{"empty grid", "template: t.ipynb\ngrid: {}", "at least one axis"},
	{"axis that is a map", "template: t.ipynb\ngrid: {x: {a: 1, b: 2}}", "want a list of values, or one of range"},
	{"axis rule misspelt", "template: t.ipynb\ngrid: {x: {rnage: {from: 1, to: 2}}}", "unknown key `rnage`, did you mean `range`?"},
	{"duplicate value on its line", "template: t.ipynb\ngrid:\n  x:\n    - 1\n    - 1", "sweep.yaml:5:7: axis `x` has the value 1 twice"},
	{"duplicate map value", "template: t.ipynb\ngrid: {x: [{a: 1, b: 2}, {b: 2, a: 1}]}", "twice"},
	{"bundle values that are the same", "template: t.ipynb\ngrid: {v: {bundle: {a: {p: 1}, b: {p: 1}}}}", "`a` and `b` of `v` bind the same parameters: they would be one run"},
	{"empty bundle", "template: t.ipynb\ngrid: {v: {bundle: {}}}", "axis `v` has no values"},
	{"bundle that binds another axis", "template: t.ipynb\ngrid: {x: [1], v: {bundle: {a: {x: 1}}}}", "`x` is bound by `v` here, and is an axis on line 2 already"},
	{"infinity in a list", "template: t.ipynb\nlist: [{x: .inf}]", "is not a value"},
	{"float too large", "template: t.ipynb\ngrid: {x: [1e999]}", "too large for a float"},
	{"int too long", "template: t.ipynb\ngrid: {x: [1" + strings.Repeat("0", 5000) + "]}", "too long"},
	{"octal of old", "template: t.ipynb\nparameters: {mode: 0755}\nrepeat: 2", "0755 could be a string, a decimal or an octal number"},
	{"tag", "template: t.ipynb\ngrid: {x: [!!float 1]}", "the tag !!float is not supported"},
	{"tag of one's own", "template: t.ipynb\ngrid: {x: [!env HOME]}", "the tag !env is not supported"},
	{"binary", "template: t.ipynb\ngrid: {x: [!!binary aGk=]}", "the tag !!binary is not supported"},
	{"alias within itself", "template: t.ipynb\nparameters: {a: &a [*a]}\nrepeat: 2", "nest deeper than 100"},
	{"deep nesting", "template: t.ipynb\nparameters: {a: " + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}\nrepeat: 2", "nest deeper than 100"},
	{"name with a hyphen", "template: t.ipynb\ngrid: {learning-rate: [1]}", "`learning-rate` is not a name that a notebook can give a parameter"},
	{"name that begins with a digit", "template: t.ipynb\ngrid: {2x: [1]}", "`2x` is not a name"},
	{"name with a space", "template: t.ipynb\nlist: [{a b: 1}]", "`a b` is not a name"},
	{"run_ prefix in any case", "template: t.ipynb\nparameters: {Run_id: 1}\nrepeat: 2", "reserved for columns"},
	{"run_ prefix of a replicate", "template: t.ipynb\nrepeat: {n: 2, as: run_seed}", "reserved for columns"},
	{"case only, in a bundle", "template: t.ipynb\ngrid: {x: [1], v: {bundle: {a: {X: 1}}}}", "differ only in case"},
	{"case only, in an include", "template: t.ipynb\ngrid: {x: [1]}\ninclude: [{X: 2}]", "differ only in case"},
	{"derive shadows an axis", "template: t.ipynb\ngrid: {x: [1]}\nderive: {x: '1'}", "`x` is derived here, and is an axis on line 2 already"},
	{"replicate shadows an axis", "template: t.ipynb\ngrid: {x: [1]}\nrepeat: {n: 2, as: x}", "`x` is the replicate here"},
	{"secret shadows nothing", "template: t.ipynb\nparameters: {x: {secret: X}}\ngrid: {x: [1]}", "is a secret on line 2 already"},
	{"include changes a constant", "template: t.ipynb\nparameters: {y: 1}\ngrid: {x: [1]}\ninclude: [{y: 2}]", "include: `y` is a constant"},
	{"include sets a derived", "template: t.ipynb\ngrid: {x: [1]}\nderive: {y: x}\ninclude: [{y: 2}]", "include: `y` is derived"},
	{"empty include", "template: t.ipynb\ngrid: {x: [1]}\ninclude: [{}]", "at least one name"},
	{"exclude of what include adds", "template: t.ipynb\ngrid: {x: [1, 2]}\ninclude: [{x: 1, y: 1}]\nexclude: [{y: 1}]", "exclude: `y` is not an axis, and excludes are applied first"},
	{"exclude of half a match", "template: t.ipynb\ngrid: {x: [1, 2], y: [1, 2]}\nexclude: [{x: 1, y: 3}]", "exclude: no point matches x = 1, y = 3"},
	{"exclude of a bundle", "template: t.ipynb\ngrid: {v: {bundle: {a: {p: 1}, b: {p: 2}}}}\nexclude: [{v: a, p: 2}]", "exclude: no point matches v = \"a\", p = 2"},
	{"exclude as a map", "template: t.ipynb\ngrid: {x: [1]}\nexclude: {x: 1}", "3:10: want a list of partial points, not a map"},
	{"include of no template", "template: {axis: v, of: {a: t.ipynb}}\ngrid: {x: [1]}\ninclude: [{v: z, x: 9}]", "`z` is not a template; want one of a"},
	{"baseline that where drops", "template: t.ipynb\ngrid: {x: [1, 2]}\nwhere: x > 1\nbaseline: {x: 1}", "baseline: no point matches x = 1"},
	{"baseline that exclude drops", "template: t.ipynb\ngrid: {x: [1, 2]}\nexclude: [{x: 1}]\nbaseline: {x: 1}", "baseline: no point matches x = 1"},
	{"baseline that the sample misses", "template: t.ipynb\ngrid: {x: {range: {from: 1, to: 1000}}}\nsample: 1\nbaseline: {x: 77}", "no point of the sample matches x = 77"},
	{"empty baseline", "template: t.ipynb\ngrid: {x: [1]}\nbaseline: {}", "a baseline needs at least one name"},
	{"derive of itself", "template: t.ipynb\ngrid: {x: [1]}\nderive: {y: y + 1}", "`y` is derived from itself"},
	{"derive reads a secret", "template: t.ipynb\nparameters: {k: {secret: K}}\ngrid: {x: [1]}\nderive: {y: k + 'x'}", "`k` is a secret"},
	{"where misspells", "template: t.ipynb\ngrid: {region: [a]}\nwhere: regoin == 'a'", "3:8: expression \"regoin == 'a'\": nothing is called `regoin`, did you mean `region`?"},
	{"placement unknown field", "template: t.ipynb\ngrid: {x: [1]}\nplacement: {regoin: x}", "unknown key `regoin`, did you mean `region`?"},
	{"placement unknown name", "template: t.ipynb\ngrid: {x: [1]}\nplacement: {region: z}", "nothing is called `z`"},
	{"zip with an empty axis", "template: t.ipynb\nzip: {x: [], y: []}", "has no values"},
	{"list without points", "template: t.ipynb\nlist: []", "the list has no points"},
	{"list of scalars", "template: t.ipynb\nlist: [1, 2]", "want a map of parameters, not \"1\""},
	{"any_of nothing", "template: t.ipynb\nany_of: []", "`any_of` has no parts"},
	{"any_of misspelt", "template: t.ipynb\nany_of: [{gird: {x: [1]}}]", "unknown key `gird`, did you mean `grid`?"},
	{"any_of two in one", "template: t.ipynb\nany_of: [{grid: {x: [1]}, zip: {x: [1]}}]", "a part of `any_of` is one of"},
	{"range without to", "template: t.ipynb\ngrid: {x: {range: {from: 1}}}", "`range` needs `to`"},
	{"range of words", "template: t.ipynb\ngrid: {x: {range: {from: a, to: b}}}", "`from` of a range must be a number"},
	{"range with n", "template: t.ipynb\ngrid: {x: {range: {from: 1, to: 2, n: 3}}}", "unknown key `n`"},
	{"range of millions", "template: t.ipynb\ngrid: {x: {range: {from: 1, to: 1e12}}}", "values, and an axis of a rule has at most 1,000,000"},
	{"range finer than floats", "template: t.ipynb\ngrid: {x: {range: {from: 1e17, to: 100000000000000010.0, step: 1}}}", "closer together"},
	{"linspace of one", "template: t.ipynb\ngrid: {x: {linspace: {from: 1, to: 2, n: 1}}}", "a whole number from 2"},
	{"linspace that stays", "template: t.ipynb\ngrid: {x: {linspace: {from: 1, to: 1, n: 3}}}", "are the same"},
	{"step of nothing", "template: t.ipynb\ngrid: {x: {dates: {from: today, to: today, step: 0d}}}", "at least 1"},
	{"step of moons", "template: t.ipynb\ngrid: {x: {dates: {from: today, to: today, step: 1moon}}}", "want a step such as"},
	{"dates without an end", "template: t.ipynb\ngrid: {x: {dates: {from: today}}}", "dates need `from` and `to`"},
	{"date misspelt", "template: t.ipynb\ngrid: {x: {dates: {from: yesteday, to: today}}}", "did you mean `yesterday`?"},
	{"hour that clocks skip", "template: t.ipynb\ngrid: {x: {dates: {from: 2026-03-29T02:30, to: 2026-03-30, tz: Europe/Berlin}}}", "the clocks of Europe/Berlin skip"},
	{"align of days", "template: t.ipynb\ngrid: {x: {dates: {from: today, to: today, align: start}}}", "`align` needs a step of weeks"},
	{"align finds none", "template: t.ipynb\ngrid: {x: {dates: {from: 2026-01-02, to: 2026-01-30, step: 1mo, align: start}}}", "no such date from 2026-01-02 to 2026-01-30"},
	{"format unknown", "template: t.ipynb\ngrid: {x: {dates: {from: today, to: today, format: '%Q'}}}", "the date format has no %Q"},
	{"format that makes days the same", "template: t.ipynb\ngrid: {x: {dates: {from: 2026-01-01, to: 2026-01-02, format: '%Y-%m'}}}", "has the value \"2026-01\" twice"},
	{"halt of nothing", "template: t.ipynb\ngrid: {x: [1]}\nhalt: 'soon,fail=0'", "want never"},
	{"halt of too much", "template: t.ipynb\ngrid: {x: [1]}\nhalt: 'soon,fail=101%'", "want never"},
	{"timeout without a unit", "template: t.ipynb\ngrid: {x: [1]}\ntimeout: 30", "want a duration"},
	{"negative timeout", "template: t.ipynb\ngrid: {x: [1]}\ntimeout: {run: -1h}", "want a duration"},
	{"start in per cent", "template: t.ipynb\ngrid: {x: [1]}\ntimeout: {start: 300%}", "want a duration"},
	{"retries of halves", "template: t.ipynb\ngrid: {x: [1]}\nretries: 1.5", "want a whole number"},
	{"retries misspelt", "template: t.ipynb\ngrid: {x: [1]}\nretries: {m: 1}", "unknown key `m`"},
	{"memory of words", "template: t.ipynb\ngrid: {x: [1]}\nresources: {memory: lots}", "want a size such as 512MB"},
	{"memory without end", "template: t.ipynb\ngrid: {x: [1]}\nresources: {memory: 99999999999999999999TB}", "too large"},
	{"a rate that is a ratio", "template: t.ipynb\ngrid: {x: [1]}\nmetrics: {auc: {trials: n, per: n}}", "sweep.yaml:3:16: a metric has either `trials` or `per`"},
	{"a ratio by medians", "template: t.ipynb\ngrid: {x: [1]}\nmetrics: {auc: {per: n, compare: bootstrap}}", "`per` makes it a ratio of sums, which is compared by the delta method, not by bootstrap"},
	{"a ratio to itself", "template: t.ipynb\ngrid: {x: [1]}\nmetrics: {auc: {per: auc}}", "`per` names the same scrap, auc"},
	{"adjusted by itself", "template: t.ipynb\ngrid: {x: [1]}\nmetrics: {auc: {adjust: auc}}", "`adjust` names the same scrap, auc"},
	{"trials that are adjusted", "template: t.ipynb\ngrid: {x: [1]}\nmetrics: {auc: {adjust: before, trials: n}}", "sweep.yaml:3:16: `adjust` adjusts changes between runs, and `trials` compares single trials"},
	{"exact within", "template: t.ipynb\ngrid: {x: [1, 2]}\nmetrics: {auc: {within: x, compare: exact}}", "`compare: exact` says that there is no chance in the values, so `within` has nothing to explain"},
	{"within what is compared", "template: t.ipynb\ngrid: {x: [1, 2]}\nbaseline: {x: 1}\nmetrics: {auc: {within: x}}", "sweep.yaml:4:1: metrics: auc is to be compared within `x`, whose values are compared: the baseline names one"},
	{"within the replicates", "template: t.ipynb\ngrid: {x: [1, 2]}\nrepeat: {n: 3, as: seed}\nmetrics: {auc: {within: seed}}", "metrics: auc is to be compared within `seed`, which counts the replicates"},
	{"within nothing", "template: t.ipynb\ngrid: {region: [1, 2]}\nmetrics: {auc: {within: regoin}}", "and nothing the grid varies is called that, did you mean `region`?"},
	{"a split of nothing", "template: t.ipynb\ngrid: {x: [1]}\nmetrics: {auc: {split: even}}", "`split` is about trials, and there are none"},
	{"goal misspelt", "template: t.ipynb\ngrid: {x: [1]}\nmetrics: {auc: {goal: maximise}}", "\"maximise\" is not one of maximize, minimize, did you mean `maximize`?"},
	{"negative effect", "template: t.ipynb\ngrid: {x: [1]}\nmetrics: {auc: {min_effect: -1}}", "cannot be negative"},
	{"a metric twice", "template: t.ipynb\ngrid: {x: [1]}\nmetrics: [auc, auc]", "the metric `auc` is listed twice"},
	{"stale_on misspelt", "template: t.ipynb\ngrid: {x: [1]}\nstale_on: [cod]", "did you mean `code`?"},
	{"max_runs of none", "template: t.ipynb\ngrid: {x: [1]}\nmax_runs: 0", "at least 1"},
	{"limit of none", "template: t.ipynb\ngrid: {x: [1]}\nlimits: {x: 0}", "at least 1"},
	{"sample of none", "template: t.ipynb\ngrid: {x: [1]}\nsample: 0", "at least 1"},
	{"repeat of none", "template: t.ipynb\ngrid: {x: [1]}\nrepeat: 0", "at least 1"},
	{"workdir", "template: t.ipynb\ngrid: {x: [1]}\nworkdir: home", "not one of private, shared"},
	{"env of a list", "template: t.ipynb\ngrid: {x: [1]}\nenv: {A: [1]}", "want a word, not a list"},
	{"template of nothing", "template:\ngrid: {x: [1]}", "1:10: want a notebook, not nothing"},
	{"template axis without a name", "template: {of: {a: t.ipynb}}\ngrid: {x: [1]}", "needs `axis`"},
	{"override without match", "template: t.ipynb\ngrid: {x: [1]}\noverrides: [{timeout: 1h}]", "needs `match`"},
	{"override of nothing", "template: t.ipynb\ngrid: {x: [1]}\noverrides: [{match: {z: 1}, timeout: 1h}]", "overrides: nothing in the grid is called `z`"},
	{"notice of both", "template: t.ipynb\ngrid: {x: [1]}\nnotify: {command: a, webhook: 'https://b'}", "either a `command` or a `webhook`"},
	{"mail to nobody", "template: t.ipynb\ngrid: {x: [1]}\nnotify: {mail: {from: a@b.c, server: 'h:25'}}", "mail to whom? Add `to`"},
	{"mail to a word", "template: t.ipynb\ngrid: {x: [1]}\nnotify: {mail: {to: ana, from: a@b.c, server: 'h:25'}}", "\"ana\" is not an address"},
	{"mail through a name", "template: t.ipynb\ngrid: {x: [1]}\nnotify: {mail: {to: a@b.c, from: a@b.c, server: h}}", "want a host with a port"},
	{"mail with a password", "template: t.ipynb\ngrid: {x: [1]}\nnotify: {mail: {to: a@b.c, from: a@b.c, server: 'h:25', user: u, password: T0KEN}}", "want {secret: NAME}"},
	{"mail with half a login", "template: t.ipynb\ngrid: {x: [1]}\nnotify: {mail: {to: a@b.c, from: a@b.c, server: 'h:25', user: u}}", "`user` and `password` go together"},
	{"mail with a header", "template: t.ipynb\ngrid: {x: [1]}\nnotify: {mail: {to: \"a@b.c\\r\\nBcc: d@e.f\", from: a@b.c, server: 'h:25'}}", "is not an address"},
	{"webhook of words", "template: t.ipynb\ngrid: {x: [1]}\nnotify: {webhook: hook}", "want a URL"},
	{"webhook with a token", "template: t.ipynb\ngrid: {x: [1]}\nnotify: {webhook: 'ftp://h/T0KEN'}", "3:19: want a URL that begins with https:// or http://"},
	{"webhook of a reserved secret", "template: t.ipynb\ngrid: {x: [1]}\nnotify: {webhook: {secret: FANOUT_HOOK}}", "FANOUT_HOOK: variables that begin with FANOUT_ or NOMAD_ are for fanout"},
	{"secret of fanout", "template: t.ipynb\nparameters: {k: {secret: FANOUT_KEY}}\ngrid: {x: [1]}", "give the secret another name"},
	{"secret of Nomad", "template: t.ipynb\nparameters: {k: {secret: NOMAD_TOKEN}}\ngrid: {x: [1]}", "2:26: NOMAD_TOKEN: variables that begin with FANOUT_ or NOMAD_"},
	{"nomad misspelt", "template: t.ipynb\ngrid: {x: [1]}\nnomad: {dirver: docker}", "unknown key `dirver`, did you mean `driver`?"},
	{"report misspelt", "template: t.ipynb\ngrid: {x: [1]}\nreport: {tempalte: x}", "did you mean `template`?"},
	{"secret of nothing", "template: t.ipynb\nparameters: {k: {secret: }}\ngrid: {x: [1]}", "want the name of an environment variable"},
	{"secret on an axis", "template: t.ipynb\ngrid: {k: [{secret: K}]}", "a secret belongs under `parameters`"},
	{"pattern with an open bracket", "template: t.ipynb\ngrid: {x: [1]}\nkeep: ['out/[a.csv']", "3:7: \"out/[a.csv\" is not a pattern"},
	{"pattern with an open brace", "template: t.ipynb\ngrid: {x: [1]}\ninputs: 'data/{a,b.csv'", "3:9: \"data/{a,b.csv\" is not a pattern"},
	{"choice of a list", "template: [t.ipynb]\ngrid: {x: [1]}", "want a notebook, or a map with axis, of, not a list"},
	{"from without a file", "template: t.ipynb\nfrom:", "want a file of rows"},
}

// Every mistake has its place and says what to do.
func TestMistakes(t *testing.T) {
	for _, c := range mistakeCases {
		t.Run(c.name, func(t *testing.T) {
			err := mistakes(c.spec)
			var es Errors
			if !errors.As(err, &es) {
				t.Fatalf("error is %v, want Errors", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is\n%v\nwant %q", err, c.want)
			}
			for _, e := range es {
				if e.Line == 0 && !strings.Contains(e.Msg, "empty") && !strings.Contains(e.Msg, "yaml") {
					t.Errorf("%v has no place", e)
				}
			}
		})
	}
}

func mistakes(spec string) error {
	s, err := Decode("sweep.yaml", []byte(spec))
	if s == nil {
		return err
	}
	_, err = s.Grid(Inputs{AsOf: time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)})
	return err
}

// bomb is a document whose aliases stand for a billion values.
func bomb() string {
	var b strings.Builder
	b.WriteString("template: t.ipynb\nenv: {A: x}\nparameters:\n  a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	b.WriteString("grid: {x: [1]}\n")
	return b.String()
}

// What YAML 1.1 would have made of these is not what people meant.
func TestYAMLTraps(t *testing.T) {
	g := mustGrid(t, "template: t.ipynb\ngrid: {x: [no, on, y, 12:30:45, 2026-01-01, 1_000, 0o17, 0x1F, 1e3, .5, '012', ~, true, 1.0, 1]}", nil)
	var got []string
	for p := range g.Points() {
		got = append(got, p.Params()[0].Value.String())
	}
	want := []string{`"no"`, `"on"`, `"y"`, `"12:30:45"`, `"2026-01-01"`, `"1_000"`, "15", "31", "1000.0", "0.5", `"012"`, "null", "true", "1.0", "1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// The vectors are the examples of GitHub's documentation of matrices.
func TestIncludeAsGitHubActions(t *testing.T) {
	g := mustGrid(t, `
template: t.ipynb
grid:
  fruit: [apple, pear]
  animal: [cat, dog]
include:
  - {color: green}
  - {color: pink, animal: cat}
  - {fruit: apple, shape: circle}
  - {fruit: banana}
  - {fruit: banana, animal: cat}
`, nil)
	want := []string{
		"fruit=apple animal=cat color=pink shape=circle",
		"fruit=apple animal=dog color=green shape=circle",
		"fruit=pear animal=cat color=pink",
		"fruit=pear animal=dog color=green",
		"fruit=banana",
		"fruit=banana animal=cat",
	}
	if d := cmp.Diff(want, pointsOf(g)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, c := range []struct{ spec, want string }{
		// Expanding configurations: added where it fits.
		{"grid: {os: [windows, ubuntu], node: [14, 16]}\ninclude: [{os: windows, node: 16, npm: 6}]",
			"os=windows node=14; os=windows node=16 npm=6; os=ubuntu node=14; os=ubuntu node=16"},
		// Adding configurations: a combination of its own.
		{"grid: {os: [macos, windows, ubuntu], version: [12, 14, 16]}\ninclude: [{os: windows, version: 17}]",
			"os=macos version=12; os=macos version=14; os=macos version=16; os=windows version=12; os=windows version=14; os=windows version=16; os=ubuntu version=12; os=ubuntu version=14; os=ubuntu version=16; os=windows version=17"},
		// No grid: the includes are all there is.
		{"include: [{site: production, datacenter: site-a}, {site: staging, datacenter: site-b}]",
			"site=production datacenter=site-a; site=staging datacenter=site-b"},
		// Values that are objects.
		{"grid: {os: [ubuntu, macos], node: [{version: 14}, {version: 20, env: X}]}\nexclude: [{os: macos, node: {env: X, version: 20}}]",
			`os=ubuntu node={"version":14}; os=ubuntu node={"env":"X","version":20}; os=macos node={"version":14}`},
		// What is excluded can be included again, and is a combination of its own then.
		{"grid: {a: [1, 2], b: [1]}\nexclude: [{a: 1}]\ninclude: [{a: 1, b: 1, c: 5}]", "a=2 b=1; a=1 b=1 c=5"},
		// Numbers are numbers.
		{"grid: {a: [1.0, 2]}\nexclude: [{a: 1}]\ninclude: [{a: 2.0, c: 1}]", "a=2 c=1"},
	} {
		if d := cmp.Diff(c.want, strings.Join(pointsOf(mustGrid(t, "template: t.ipynb\n"+c.spec, nil)), "; ")); d != "" {
			t.Errorf("%s\n(-want +got):\n%s", c.spec, d)
		}
	}
	g = mustGrid(t, `
template: t.ipynb
grid:
  os: [macos, windows]
  version: [12, 14, 16]
  environment: [staging, production]
exclude:
  - {os: macos, version: 12, environment: production}
  - {os: windows, version: 16}
`, nil)
	if n := len(pointsOf(g)); n != 9 {
		t.Errorf("%d points, want 9", n)
	}
}

func pointsOf(g *Grid) []string {
	var out []string
	for p := range g.Points() {
		var parts []string
		for _, b := range p.Params() {
			s, isText := b.Value.Any().(string)
			if !isText {
				s = b.Value.String()
			}
			parts = append(parts, b.Name+"="+s)
		}
		out = append(out, strings.Join(parts, " "))
	}
	return out
}

// The oracle is pandas and zoneinfo: testdata/make_dates.py.
func TestDates(t *testing.T) {
	text, err := os.ReadFile("testdata/dates.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Step, From, To, TZ, Align string
		Want                      []string
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 170 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s %s %s %s %s", c.Step, c.Align, c.From, c.To, c.TZ), func(t *testing.T) {
			align := ""
			if c.Align != "" {
				align = ", align: " + c.Align
			}
			g := mustGrid(t, fmt.Sprintf("template: t.ipynb\ngrid: {d: {dates: {from: '%s', to: '%s', step: %s, tz: %s%s}}}", c.From, c.To, c.Step, c.TZ, align), nil)
			var got []string
			for p := range g.Points() {
				got = append(got, p.Params()[0].Value.Any().(string))
			}
			if d := cmp.Diff(c.Want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestCoercion(t *testing.T) {
	declared := map[string][]Param{"": {{Name: "rate", HasDefault: true, Default: mustValue(0.5)}, {Name: "n", HasDefault: true, Default: mustValue(1)}}}
	g := mustGrid(t, "template: t.ipynb\ngrid: {rate: [1, 0.5], n: [2]}", declared)
	if d := cmp.Diff([]string{"rate=1.0 n=2", "rate=0.5 n=2"}, pointsOf(g)); d != "" {
		t.Error(d)
	}
}

func mustValue(x any) value.Value {
	v, err := value.Of(x)
	if err != nil {
		panic(err)
	}
	return v
}

func TestOverridesAndSettings(t *testing.T) {
	g := mustGrid(t, `
template: t.ipynb
grid: {region: [eu, apac]}
timeout: {cell: 10m, run: 1h}
resources: {memory: 512MB}
overrides:
  - {match: {region: apac}, timeout: {run: 300%}, resources: {memory: 2GiB}}
`, nil)
	var got []string
	for p := range g.Points() {
		s := g.Settings(p)
		got = append(got, fmt.Sprint(s.Timeout.Cell.D, s.Timeout.Run.D, s.Timeout.Run.Percent, s.Resources.Memory))
	}
	if d := cmp.Diff([]string{"10m0s 1h0m0s 0 512000000", "10m0s 0s 300 2147483648"}, got); d != "" {
		t.Error(d)
	}
}

func TestSetAndOverlay(t *testing.T) {
	set, err := SetOverlay("x=7")
	if err != nil {
		t.Fatal(err)
	}
	base := "template: t.ipynb\nparameters: {y: 1}\ngrid: {x: [1, 2], z: [1, 2]}\n"
	s, err := Decode("sweep.yaml", []byte(base), Source{File: "o.yaml", Text: []byte("parameters: {y: 2}\ngrid: {z: [3]}")}, set)
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Grid(Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"y=2 x=7 z=3"}, pointsOf(g)); d != "" {
		t.Error(d)
	}
	// What is frozen with a sweep says the same without the overlays.
	again, err := Decode("sweep.yaml", s.Text())
	if err != nil {
		t.Fatal(err)
	}
	g2, err := again.Grid(Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(pointsOf(g), pointsOf(g2)); d != "" {
		t.Error(d)
	}
}

func TestLaziness(t *testing.T) {
	g := mustGrid(t, `
template: t.ipynb
grid:
  a: {range: {from: 1, to: 1000}}
  b: {range: {from: 1, to: 1000}}
exclude: [{a: 3}, {b: 5, a: 7}]
include: [{a: 1, c: 1}]
`, nil)
	n := 0
	for range g.Points() {
		if n++; n == 10 {
			break
		}
	}
	if n, err := g.Count(context.Background()); err != nil || n != 1000*1000-1000-1 {
		t.Errorf("Count = %d, %v", n, err)
	}
}

// genSpec draws a sweep file of plain axes, as text.
func genSpec(t *rapid.T) (axes []string, rest string) {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 4, rapid.ID[string]).Draw(t, "names")
	values := map[string][]int{}
	for _, n := range names {
		values[n] = rapid.SliceOfNDistinct(rapid.IntRange(0, 5), 1, 4, rapid.ID[int]).Draw(t, n)
		axes = append(axes, fmt.Sprintf("  %s: [%s]\n", n, strings.Trim(strings.ReplaceAll(fmt.Sprint(values[n]), " ", ", "), "[]")))
	}
	if rapid.Bool().Draw(t, "exclude") {
		n := names[0]
		rest += fmt.Sprintf("exclude: [{%s: %d}]\n", n, values[n][0])
	}
	if rapid.Bool().Draw(t, "include") {
		rest += fmt.Sprintf("include: [{%s: %d}, {%s: 9}]\n", names[0], values[names[0]][len(values[names[0]])-1], names[len(names)-1])
	}
	if rapid.Bool().Draw(t, "sample") {
		rest += fmt.Sprintf("sample: {n: %d, seed: 3}\n", rapid.IntRange(1, 30).Draw(t, "n"))
	}
	if rapid.Bool().Draw(t, "repeat") {
		rest += "repeat: 2\n"
	}
	return axes, rest
}

func identities(t *rapid.T, axes []string, rest string) []string {
	s, err := Decode("s.yaml", []byte("template: t.ipynb\ngrid:\n"+strings.Join(axes, "")+rest))
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Grid(Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for p := range g.Points() {
		ids = append(ids, p.Identity())
	}
	if n, err := g.Count(context.Background()); err != nil || n != len(ids) {
		t.Fatalf("Count = %d, %v, and there are %d points", n, err, len(ids))
	}
	if n, exact := g.Len(); n < len(ids) || exact && n != len(ids) {
		t.Fatalf("Len = %d, %v, and there are %d points", n, exact, len(ids))
	}
	return ids
}

// Each point is there once; Count says how many; the order of axes changes
// neither which there are nor who they are.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		axes, rest := genSpec(t)
		ids := identities(t, axes, rest)
		sorted := slices.Sorted(slices.Values(ids))
		if len(slices.Compact(slices.Clone(sorted))) != len(ids) {
			t.Fatalf("a point is there twice:\n%s", strings.Join(ids, "\n"))
		}
		other := identities(t, rapid.Permutation(axes).Draw(t, "order"), rest)
		slices.Sort(other)
		if d := cmp.Diff(sorted, other); d != "" {
			t.Fatalf("another order of axes makes other points:\n%s", d)
		}
	})
}

// The canonical form is a fixed point, and equal values are ==.
func TestCanonicalForm(t *testing.T) {
	var gen func(depth int) *rapid.Generator[any]
	gen = func(depth int) *rapid.Generator[any] {
		scalars := []*rapid.Generator[any]{
			rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.String().AsAny(),
			rapid.Float64().Filter(func(x float64) bool { return x-x == 0 }).AsAny(),
		}
		if depth == 0 {
			return rapid.OneOf(scalars...)
		}
		return rapid.OneOf(append(scalars, rapid.SliceOfN(gen(depth-1), 0, 4).AsAny(), rapid.MapOfN(rapid.String(), gen(depth-1), 0, 4).AsAny())...)
	}
	rapid.Check(t, func(t *rapid.T) {
		v, err := value.Of(gen(2).Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := value.Parse([]byte(v.String()))
		if err != nil || again != v {
			t.Fatalf("%s reads back as %s, %v", v, again, err)
		}
		if round, err := value.Of(v.Any()); err != nil || round != v {
			t.Fatalf("%s becomes %s, %v by way of Go", v, round, err)
		}
	})
}

func TestIntIsNotFloat(t *testing.T) {
	if mustValue(1) == mustValue(1.0) || mustValue(1.0).String() != "1.0" || mustValue(1).Kind() != value.Int || mustValue(1e300).Kind() != value.Float {
		t.Error("an int and a float are different values")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("template: t.ipynb\ngrid: {x: [1, 2]}\nexclude: [{x: 1}]"))
	f.Add([]byte("template: {axis: v, of: {a: t.ipynb}}\nany_of: [{zip: {x: [1]}}, {list: [{x: 2}]}]\nwhere: x > 1\nderive: {y: x + 1}"))
	f.Add([]byte("template: t.ipynb\ngrid: {d: {dates: {from: today, to: today, step: 1h, tz: Europe/Berlin}}}\nsample: 3\nrepeat: {n: 2, as: s}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Decode("sweep.yaml", text)
		if err != nil {
			return
		}
		g, err := s.Grid(Inputs{AsOf: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err != nil {
			return
		}
		n := 0
		for p := range g.Points() {
			if p.Identity() == "" {
				t.Fatal("a point without identity")
			}
			if n++; n == 100 {
				break
			}
		}
	})
}
