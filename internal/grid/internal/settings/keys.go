package settings

import (
	"net"
	netmail "net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/glob"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/value"
)

// Keys are the keys of a sweep file that have settings.
var Keys = []form.Key[Sweep]{
	form.Field("name", "The sweep's name; the file's name by default.", form.Text("a name").Checked(checkName), func(s *Sweep) *string { return &s.Name }),
	{Name: "kernel", Doc: "The kernelspec; the template's by default.", Form: kernel()},
	form.Field("python", "A virtual environment, or an interpreter, whose ipykernel is used.", form.Text("a virtual environment or interpreter"), func(s *Sweep) *string { return &s.Python }),
	form.Field("share_prefix", "Execute the cells above the parameters once, for all runs.", form.Flag(), func(s *Sweep) *bool { return &s.SharePrefix }),
	form.Field("files", "Patterns of files that are frozen with the sweep.", Patterns("file patterns"), func(s *Sweep) *[]string { return &s.Files }),
	form.Field("inputs", "Files, patterns or URIs that the runs read; a change makes them stale. {name} stands for a parameter.", Patterns("files, patterns or URIs"), func(s *Sweep) *[]string { return &s.Inputs }),
	form.Field("env", "The environment of the kernels.", env(), func(s *Sweep) *[]EnvVar { return &s.Env }),
	form.Field("metrics", "Scraps to compare the runs by.", metrics(), func(s *Sweep) *[]Metric { return &s.Metrics }),
	form.Field("timeout", "How long a run may take: a duration, or a percentage of the median of finished runs.", timeout(), func(s *Sweep) *Timeout { return &s.Timeout }),
	form.Field("retries", "What is tried again.", retries(), func(s *Sweep) *Retries { return &s.Retries }),
	form.Field("halt", "When to stop early, in GNU parallel's words.", halt(), func(s *Sweep) *Halt { return &s.Halt }),
	form.Field("budget", "What the runs of one command may take; then nothing more begins.", budget(), func(s *Sweep) *Budget { return &s.Budget }),
	form.Field("keep", "Patterns of the files that runs write and that are kept.", Patterns("file patterns"), func(s *Sweep) *[]string { return &s.Keep }),
	form.Field("stale_on", "Parts whose change makes a success stale.", form.List("a list of code, text, files, inputs, environment, upstream", form.Word("code", "text", "files", "inputs", "environment", "upstream")), func(s *Sweep) *[]string { return &s.StaleOn }),
	form.Field("max_runs", "More runs than this need --yes.", form.Whole(1), func(s *Sweep) *int { return &s.MaxRuns }),
	form.Field("resources", "What a run may use.", resources(), func(s *Sweep) *Resources { return &s.Resources }),
	form.Field("workdir", "Where runs work: each in a folder of its own, or all in the template's.", workdir(), func(s *Sweep) *string { return &s.Workdir }),
	form.Field("report", "Your own report.", report(), func(s *Sweep) **Report { return &s.Report }),
	form.Field("notify", "Whom to notify when a sweep has ended.", notices(), func(s *Sweep) *[]Notice { return &s.Notify }),
	form.Field("html", "A page for each run, written when it ends.", html(), func(s *Sweep) **HTML { return &s.HTML }),
	form.Field("publish", "Where the pages of the sweep go when it has ended.", publish(), func(s *Sweep) **Publish { return &s.Publish }),
	form.Field("nomad", "Settings of the Nomad executor.", nomad(), func(s *Sweep) *[]value.Binding { return &s.Nomad }),
}

// OverrideKeys are the settings that an override can change.
var OverrideKeys = []form.Key[Override]{
	form.Field("timeout", "", optional(timeout()), func(o *Override) **Timeout { return &o.timeout }),
	form.Field("retries", "", optional(retries()), func(o *Override) **Retries { return &o.retries }),
	form.Field("resources", "", optional(resources()), func(o *Override) **Resources { return &o.resources }),
	form.Field("kernel", "", form.Text("a kernel"), func(o *Override) *string { return &o.kernel }),
}

// optional distinguishes a given value from an absent one.
func optional[T any](f form.Form[T]) form.Form[*T] {
	return form.Form[*T]{Read: func(r *yaml.Reader, n *yaml.Node, into **T) {
		*into = new(T)
		f.Read(r, n, *into)
	}, Schema: f.Schema}
}

func checkName(r *yaml.Reader, n *yaml.Node, name *string) {
	if strings.ContainsAny(*name, "/\\\x00") || strings.HasPrefix(*name, ".") || len(*name) > 100 {
		r.Errorf(n, "the name %q cannot be the name of a folder", *name)
	}
}

func kernel() form.Form[Sweep] {
	name := func(s *Sweep) *string { return &s.Kernel }
	return form.Or(form.Text("a kernel"), name, form.Map(
		form.Field("name", "", form.Text("a kernel"), name),
		form.Field("warm", "Whether kernels are forked from one that has imported what the template imports; zmq gives them the sockets of ZeroMQ.", form.Word("auto", "zmq", "off"), func(s *Sweep) *string { return &s.Warm }),
	))
}

// Patterns are file patterns; an invalid one would match nothing.
func Patterns(what string) form.Form[[]string] {
	return form.Texts(what).Checked(func(r *yaml.Reader, n *yaml.Node, list *[]string) {
		for _, pattern := range *list {
			if err := glob.Check(pattern); err != nil && !strings.Contains(pattern, "://") {
				r.Errorf(n, "%v", err)
			}
		}
	})
}

func env() form.Form[[]EnvVar] {
	return form.Form[[]EnvVar]{Read: func(r *yaml.Reader, n *yaml.Node, into *[]EnvVar) {
		for _, f := range r.Fields(n, "a map of environment variables") {
			if !yaml.EnvName.MatchString(f.Name) {
				r.Errorf(f.Key, "%q is not the name of an environment variable", f.Name)
			}
			v := r.Value(f.Node)
			if k := v.Kind(); strings.ContainsRune(v.Text(), 0) || k == value.List || k == value.Map || k == value.Null {
				r.Errorf(f.Node, "want a word, not %s", yaml.Describe(f.Node))
			}
			*into = append(*into, EnvVar{f.Name, v.Text()})
		}
	}, Schema: form.Schema{
		"type": "object", "propertyNames": form.Schema{"pattern": yaml.EnvName.String()},
		"additionalProperties": form.Schema{"type": []string{"string", "number", "boolean"}},
	}}
}

// metrics are names of scraps, or a map of them to what is wanted.
func metrics() form.Form[[]Metric] {
	one := oneMetric()
	read := func(r *yaml.Reader, n *yaml.Node, into *[]Metric) {
		if !r.IsList(n) {
			for _, f := range r.Fields(n, "a map of scraps to what is wanted of them") {
				m := Metric{Name: f.Name}
				one.Read(r, f.Node, &m)
				*into = append(*into, m)
			}
			return
		}
		for _, e := range r.Items(n, "") {
			name := r.Text(e, "a scrap")
			if slices.ContainsFunc(*into, func(m Metric) bool { return m.Name == name }) {
				r.Errorf(e, "the metric `%s` is listed twice", name)
			}
			*into = append(*into, Metric{Name: name})
		}
	}
	return form.Form[[]Metric]{Read: read, Schema: form.AnyOf(
		form.Schema{"type": "array", "items": form.Text("").Schema},
		form.Schema{"type": "object", "additionalProperties": one.Schema},
	)}
}

func oneMetric() form.Form[Metric] {
	goal := func(m *Metric) *string { return &m.Goal }
	direction := form.Word("maximize", "minimize")
	orNone := form.Form[string]{What: direction.What, Read: func(r *yaml.Reader, n *yaml.Node, into *string) {
		if r.Resolve(n).Value != "" {
			direction.Read(r, n, into)
		}
	}, Schema: form.Schema{"enum": []any{"maximize", "minimize", nil}}}
	whole := form.Map(
		form.Field("goal", "", direction, goal),
		form.Field("unit", "", form.Text("a unit"), func(m *Metric) *string { return &m.Unit }),
		form.Key[Metric]{Name: "min_effect", Doc: "A smaller change does not matter: 0.5, or 1% of the baseline.", Form: effect()},
		form.Field("guardrail", "Must not get worse.", form.Flag(), func(m *Metric) *bool { return &m.Guardrail }),
		form.Field("primary", "Among those the verdict is about.", form.Flag(), func(m *Metric) *bool { return &m.Primary }),
		form.Field("trials", "The scrap that counts trials, for a proportion.", form.Text("the scrap that counts trials"), func(m *Metric) *string { return &m.Trials }),
		form.Field("per", "The scrap that its sum is divided by, for a ratio of sums.", form.Text("the scrap that its sum is divided by"), func(m *Metric) *string { return &m.Per }),
		form.Field("adjust", "A scrap that was known before: what it explains is taken from the change.", form.Text("a scrap"), func(m *Metric) *string { return &m.Adjust }),
		form.Field("within", "An axis within whose values runs are compared, instead of over them.", form.Text("an axis"), func(m *Metric) *string { return &m.Within }),
		form.Field("split", "How trials are divided among the variants, to be checked.", word[metric.Split](form.Word(string(metric.Even))), func(m *Metric) *metric.Split { return &m.Split }),
		form.Field("compare", "How it is compared.", word[metric.Method](method()), func(m *Metric) *metric.Method { return &m.By }),
	).Checked(checkMetric)
	whole.Schema["not"] = apart
	return form.Or(orNone, goal, whole)
}

// apart are settings of a metric that do not go together, as a schema says it.
var apart = form.Schema{"anyOf": []any{
	form.Schema{"required": []string{"split"}, "not": form.Schema{"required": []string{"trials"}}},
	form.Schema{"required": []string{"per", "trials"}},
	form.Schema{"required": []string{"adjust", "trials"}},
	form.Schema{"required": []string{"within", "trials"}},
	form.Schema{"required": []string{"adjust", "compare"}, "properties": form.Schema{"compare": form.Schema{"const": "exact"}}},
	form.Schema{"required": []string{"within", "compare"}, "properties": form.Schema{"compare": form.Schema{"const": "exact"}}},
	form.Schema{"required": []string{"per", "compare"}, "properties": form.Schema{"compare": form.Schema{"not": form.Schema{"const": "median"}}}},
}}

// checkMetric finds settings of a metric that do not go together.
func checkMetric(r *yaml.Reader, n *yaml.Node, m *Metric) {
	if m.Split != "" && m.Trials == "" {
		r.Hintf(n, "add `trials`, the scrap that counts them", "`split` is about trials, and there are none")
	}
	switch {
	case m.Per != "" && m.Trials != "":
		r.Hintf(n, "keep `trials` if it counts how often something succeeded, `per` for a ratio of two sums", "a metric has either `trials` or `per`")
	case m.Per != "" && m.By != "":
		r.Hintf(n, "leave `compare` out", "`per` makes it a ratio of sums, which is compared by the delta method, not by %s", m.By)
	case m.Per == m.Name && m.Per != "":
		r.Errorf(n, "`per` names the same scrap, %s", m.Name)
	case m.Adjust == m.Name && m.Adjust != "":
		r.Hintf(n, "name a scrap that was known before, such as "+m.Name+"_before", "`adjust` names the same scrap, %s", m.Name)
	}
	for _, x := range []struct{ key, text string }{{"adjust", m.Adjust}, {"within", m.Within}} {
		switch {
		case x.text != "" && m.Trials != "":
			r.Hintf(n, "for a ratio whose runs are compared, write `per: "+m.Trials+"` instead of `trials`", "`%s` adjusts changes between runs, and `trials` compares single trials", x.key)
		case x.text != "" && m.By == metric.ByExact:
			r.Hintf(n, "leave `"+x.key+"` out", "`compare: exact` says that there is no chance in the values, so `%s` has nothing to explain", x.key)
		}
	}
}

// effect is 0.5 or 1%.
func effect() form.Form[Metric] {
	return form.Form[Metric]{Read: func(r *yaml.Reader, n *yaml.Node, m *Metric) {
		if p, ok := percent(r.Resolve(n).Value); ok {
			m.MinEffect, m.MinEffectRelative = p/100, true
			return
		}
		if m.MinEffect = r.Number(n); m.MinEffect < 0 {
			r.Errorf(n, "a size cannot be negative")
		}
	}, Schema: form.Schema{"type": []string{"number", "string"}, "minimum": 0, "pattern": `%\s*$`}}
}

// word is a form of text as a type of words.
func word[T ~string](f form.Form[string]) form.Form[T] {
	return form.Form[T]{What: f.What, Read: func(r *yaml.Reader, n *yaml.Node, into *T) {
		var text string
		f.Read(r, n, &text)
		*into = T(text)
	}, Schema: f.Schema}
}

// method is how a metric is compared; medians need no word.
func method() form.Form[string] {
	return empty("median", form.Word("median", "mean", "bootstrap", "exact"))
}

func workdir() form.Form[string] { return empty("private", form.Word("private", "shared")) }

// empty is a form whose default word is read as none.
func empty(word string, f form.Form[string]) form.Form[string] {
	return f.Checked(func(_ *yaml.Reader, _ *yaml.Node, s *string) {
		if *s == word {
			*s = ""
		}
	})
}

func timeout() form.Form[Timeout] {
	run := func(t *Timeout) *Limit { return &t.Run }
	return form.Or(limit(), run, form.Map(
		form.Field("start", "", duration(), func(t *Timeout) *time.Duration { return &t.Start.D }),
		form.Field("cell", "", limit(), func(t *Timeout) *Limit { return &t.Cell }),
		form.Field("run", "", limit(), run),
	))
}

func retries() form.Form[Retries] {
	n := func(r *Retries) *int { return &r.N }
	return form.Or(form.Whole(0), n, form.Map(
		form.Field("n", "", form.Whole(0), n),
		form.Field("on", "Statuses, reasons, exceptions or patterns of them; any failure by default.", Patterns("statuses, reasons or exceptions"), func(r *Retries) *[]string { return &r.On }),
		form.Field("backoff", "", duration(), func(r *Retries) *time.Duration { return &r.Backoff }),
		form.Field("max", "For the whole sweep.", form.Whole(0), func(r *Retries) *int { return &r.Max }),
	))
}

func resources() form.Form[Resources] {
	return form.Map(
		form.Field("cpu", "MHz, for a cluster.", form.Whole(1), func(r *Resources) *int { return &r.CPU }),
		form.Field("memory", "512MB, 2GiB or bytes.", size(), func(r *Resources) *int64 { return &r.Memory }),
	)
}

func report() form.Form[*Report] {
	return optional(form.Map(
		form.Field("template", "Your own report notebook.", form.Text("a notebook"), func(r *Report) *string { return &r.Template }),
		form.Field("after", "As well as the summary, rather than instead of it.", form.Flag(), func(r *Report) *bool { return &r.After }),
		form.Field("sections", "", form.Texts("sections"), func(r *Report) *[]string { return &r.Sections }),
	))
}

// notices are one notice or a list of them.
func notices() form.Form[[]Notice] {
	one := notice()
	list := form.List("a map with command, webhook or mail, or a list of them", one)
	return form.Form[[]Notice]{Read: func(r *yaml.Reader, n *yaml.Node, into *[]Notice) {
		if !r.IsMap(n) {
			list.Read(r, n, into)
			return
		}
		var x Notice
		one.Read(r, n, &x)
		*into = append(*into, x)
	}, Schema: form.AnyOf(one.Schema, list.Schema)}
}

func notice() form.Form[Notice] {
	f := form.Map(
		form.Field("command", "A command and its arguments.", form.Texts("a command and its arguments"), func(x *Notice) *[]string { return &x.Command }),
		form.Key[Notice]{Name: "webhook", Form: webhook()},
		form.Field("mail", "The summary, without code, by mail.", mail(), func(x *Notice) **Mail { return &x.Mail }),
		form.Field("on", "", form.Word("always", "failure", "success"), func(x *Notice) *string { return &x.On }),
		form.Field("as", "The form of what a webhook gets.", empty("json", form.Word("json", "slack")), func(x *Notice) *string { return &x.As }),
		form.Field("link", "The address of a fanout server that shows the sweep, for links.", address(), func(x *Notice) *string { return &x.Link }),
	).Checked(func(r *yaml.Reader, n *yaml.Node, x *Notice) {
		ways := 0
		for _, has := range []bool{len(x.Command) > 0, x.Webhook != "" || x.WebhookEnv != "", x.Mail != nil} {
			if has {
				ways++
			}
		}
		if ways != 1 {
			r.Errorf(n, "a notice is either a `command` or a `webhook` or a `mail`")
		}
		if x.As != "" && x.Webhook+x.WebhookEnv == "" {
			r.Errorf(n, "`as` is the form of what a `webhook` gets")
		}
		if x.On == "" {
			x.On = "always"
		}
	})
	f.Schema["oneOf"] = []any{form.Schema{"required": []string{"command"}}, form.Schema{"required": []string{"webhook"}}, form.Schema{"required": []string{"mail"}}}
	return f
}

// address is that of a server.
func address() form.Form[string] {
	f := form.Text("an address such as https://fanout.example.org/").Checked(func(r *yaml.Reader, n *yaml.Node, text *string) {
		u, err := url.Parse(*text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.ContainsAny(*text, " <>()|\"'\\") {
			r.Hintf(n, "such as https://fanout.example.org/", "want the address of a server, without a user or a token")
		}
	})
	f.Schema = form.Schema{"type": "string", "pattern": "^https?://[^\\s<>()|\"'\\\\?#@]+$"}
	return f
}

// mail is who gets mail, and the server that sends it.
func mail() form.Form[*Mail] {
	address, addresses, server := form.Text("an address such as ana@example.org"), form.Texts("addresses"), form.Text("a host with a port")
	address.Schema = form.Schema{"type": "string", "pattern": "^[^\\r\\n]*[^\\s@]@[^\\s@]+$"}
	addresses.Schema = form.AnyOf(address.Schema, form.Schema{"type": "array", "minItems": 1, "items": address.Schema})
	server.Schema = form.Schema{"type": "string", "pattern": "^.+:[^:]+$"}
	password := form.Form[Mail]{Read: func(r *yaml.Reader, n *yaml.Node, x *Mail) {
		env, ok := r.Secret(n)
		if x.PasswordEnv = env; !ok {
			r.Errorf(n, "want {secret: NAME}, the environment variable that has the password")
		}
	}, Schema: form.Schema(yaml.SecretSchema())}
	one := form.Map(
		form.Field("to", "Addresses.", addresses, func(x *Mail) *[]string { return &x.To }),
		form.Field("from", "The address of the sender.", address, func(x *Mail) *string { return &x.From }),
		form.Field("server", "Host and port of the SMTP server; with port 465 in TLS, else with STARTTLS where it can.", server, func(x *Mail) *string { return &x.Server }),
		form.Field("user", "Who logs in.", form.Text("a name"), func(x *Mail) *string { return &x.User }),
		form.Key[Mail]{Name: "password", Form: password},
	).Checked(func(r *yaml.Reader, n *yaml.Node, x *Mail) {
		for _, a := range append(slices.Clone(x.To), x.From) {
			if _, err := netmail.ParseAddress(a); err != nil {
				r.Errorf(n, "%q is not an address: mail needs `to`, `from` and `server`, as in {to: [ana@example.org], from: fanout@example.org, server: smtp.example.org:587}", a)
			}
		}
		if host, port, err := net.SplitHostPort(x.Server); err != nil || host == "" || port == "" {
			r.Errorf(n, "server %q: want a host with a port, such as smtp.example.org:587", x.Server)
		}
		if (x.User == "") != (x.PasswordEnv == "") {
			r.Errorf(n, "`user` and `password` go together")
		}
		if len(x.To) == 0 {
			r.Errorf(n, "mail to whom? Add `to`")
		}
	})
	one.Schema["required"] = []string{"to", "from", "server"}
	one.Schema["dependentRequired"] = form.Schema{"user": []string{"password"}, "password": []string{"user"}}
	return form.Form[*Mail]{What: one.What, Read: func(r *yaml.Reader, n *yaml.Node, into **Mail) {
		*into = new(Mail)
		one.Read(r, n, *into)
	}, Schema: one.Schema}
}

// webhook is a URL, or a secret that holds one. Errors do not repeat a URL, which
// often holds a token.
func webhook() form.Form[Notice] {
	return form.Form[Notice]{Read: func(r *yaml.Reader, n *yaml.Node, x *Notice) {
		if env, ok := r.Secret(n); ok {
			x.WebhookEnv = env
			return
		}
		x.Webhook = r.Text(n, "a URL, or {secret: NAME}")
		if x.Webhook != "" && !strings.HasPrefix(x.Webhook, "http://") && !strings.HasPrefix(x.Webhook, "https://") {
			r.Errorf(n, "want a URL that begins with https:// or http://")
		}
	}, Schema: form.AnyOf(form.Schema{"type": "string", "pattern": "^https?://"}, form.Schema(yaml.SecretSchema()))}
}

// nomadKeys are the settings of the Nomad executor.
var nomadKeys = []string{
	"job", "driver", "image", "command", "artifact", "env_from", "region", "namespace", "datacenters", "node_pool", "priority",
	"runs_per_job", "runs_at_once", "max_parallel", "class_parallel", "python", "class", "lost_after",
}

// nomad keeps the settings of that executor as they are written; it knows what
// they mean.
func nomad() form.Form[[]value.Binding] { return Bindings(nomadKeys...) }

// Bindings is a map of these keys to any values, in the order of the file.
func Bindings(names ...string) form.Form[[]value.Binding] {
	var keys []form.Key[[]value.Binding]
	for _, name := range names {
		keys = append(keys, form.Key[[]value.Binding]{Name: name, Form: form.Form[[]value.Binding]{Read: func(r *yaml.Reader, n *yaml.Node, into *[]value.Binding) {
			*into = append(*into, value.Binding{Name: name, Value: r.Value(n)})
		}, Schema: form.Schema{}}})
	}
	return form.Map(keys...)
}
