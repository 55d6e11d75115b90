package localschedule

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// PrintLines prints what Lines returned.
func (v Verbs) PrintLines(lines, hint string) {
	if hint != "" {
		v.Stderr.Printf("fanout: %s\n", hint)
	}
	fmt.Fprint(v.Stdout.Lines(), lines)
}

// Lines are what crontab or systemd needs to wake a schedule; of no kind, the place.
// Those who are woken decide by the schedule what is due, so it is fired once however
// they are woken. hint says what the reader must know.
func Lines(kind, where string, s schedule.Schedule) (lines, hint string, err error) {
	if kind == "" {
		return where + "\n", "", nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", "", err
	}
	if strings.ContainsAny(where+self, "\n\r\x00") {
		return "", "", fmt.Errorf("a line of %s cannot hold the path %q", kind, where)
	}
	switch kind {
	case "crontab":
		return crontab(self, where, s)
	case "systemd":
		return systemd(self, where, s)
	}
	return "", "", fmt.Errorf("--print %q: want crontab or systemd", kind)
}

// plain is an expression that every cron and systemd can say: five fields.
func plain(spec string) ([]string, error) {
	if alias, known := aliases[spec]; known {
		spec = alias
	}
	fields := strings.Fields(spec)
	if len(fields) != 5 || !plainFields().MatchString(strings.Join(fields, " ")) {
		return nil, unit.WithHint(fmt.Errorf("cron %q says more than crontab and systemd can", spec), "fanout serve --schedule fires it")
	}
	return fields, nil
}

var (
	aliases     = map[string]string{"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *"}
	plainFields = pattern.Of(`^([0-9*/,-]+ ){3}[0-9A-Za-z*/,-]+ [0-9A-Za-z*/,-]+$`)
)

func crontab(self, where string, s schedule.Schedule) (string, string, error) {
	var b strings.Builder
	hint := ""
	if s.Zone != zoneHere() {
		fmt.Fprintf(&b, "CRON_TZ=%s\n", s.Zone)
		hint = "put these lines last: CRON_TZ holds for all that follow. The cron of Debian and Ubuntu does not know it and reads the time as this machine's: there, use --print systemd"
	}
	for _, spec := range s.Crons {
		fields, err := plain(spec)
		if err != nil {
			return "", "", err
		}
		command := unit.Quote(self) + " schedule fire --store " + unit.Quote(where)
		fmt.Fprintf(&b, "%s %s\n", strings.Join(fields, " "), strings.ReplaceAll(command, "%", `\%`))
	}
	return b.String(), hint, nil
}

// zoneHere is the name of this machine's zone, as far as it shows.
func zoneHere() string {
	if zone := os.Getenv("TZ"); zone != "" {
		return zone
	}
	if target, err := os.Readlink("/etc/localtime"); err == nil {
		if _, zone, found := strings.Cut(target, "zoneinfo/"); found {
			return strings.TrimPrefix(zone, "Etc/")
		}
	}
	return time.Local.String()
}

var unsafe = pattern.Of(`[^A-Za-z0-9_.-]+`)

func systemd(self, where string, s schedule.Schedule) (string, string, error) {
	var when strings.Builder
	for _, spec := range s.Crons {
		fields, err := plain(spec)
		if err != nil {
			return "", "", err
		}
		for _, c := range calendar(fields) {
			fmt.Fprintf(&when, "OnCalendar=%s %s\n", c, s.Zone)
		}
	}
	name := "fanout-" + unsafe().ReplaceAllString(strings.TrimSuffix(path.Base(store.Join(where, "")), ".sweep"), "-")
	folder := "~/.config/systemd/user/"
	return fmt.Sprintf(`# %[1]s%[2]s.service
[Unit]
Description=Extend the sweep %[3]s
[Service]
Type=oneshot
ExecStart=%[4]s schedule fire --store %[5]s

# %[1]s%[2]s.timer
[Unit]
Description=When the sweep %[3]s is due
[Timer]
%[6]sPersistent=true
AccuracySec=1s
[Install]
WantedBy=timers.target
`, folder, name, strings.ReplaceAll(where, "%", "%%"), forSystemd(self), forSystemd(where), when.String()),
		fmt.Sprintf("two files; then: systemctl --user daemon-reload && systemctl --user enable --now %s.timer", name), nil
}

// forSystemd quotes an argument of ExecStart.
func forSystemd(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$").Replace(text) + `"`
}

// calendar are the events of systemd that five fields of cron name: where both the
// day and the weekday are given, cron means either, and systemd both.
func calendar(f []string) []string {
	clock := spans(f[1], 0, 23) + ":" + spans(f[0], 0, 59) + ":00"
	months := spans(names(f[3], "jan feb mar apr may jun jul aug sep oct nov dec", 1), 1, 12)
	days := spans(f[2], 1, 31)
	named := weekdays(f[4])
	var all []string
	if days != "*" || named == "" {
		all = append(all, fmt.Sprintf("*-%s-%s %s", months, days, clock))
	}
	if named != "" {
		all = append(all, fmt.Sprintf("%s *-%s-* %s", named, months, clock))
	}
	return all
}

// spans are a field of cron as numbers; "*" if it names all.
func spans(field string, least, most int) string {
	set := numbers(field, least, most)
	if len(set) == most-least+1 {
		return "*"
	}
	var texts []string
	for _, n := range set {
		texts = append(texts, fmt.Sprintf("%02d", n))
	}
	return strings.Join(texts, ",")
}

// numbers are those that a field of cron names.
func numbers(field string, least, most int) (set []int) {
	for part := range strings.SplitSeq(field, ",") {
		span, every, stepped := strings.Cut(part, "/")
		from, to, ranged := strings.Cut(span, "-")
		a, b, step := least, most, 1
		if span != "*" {
			a, _ = strconv.Atoi(from)
			if b = a; ranged {
				b, _ = strconv.Atoi(to)
			} else if stepped {
				b = most
			}
		}
		if stepped {
			step, _ = strconv.Atoi(every)
		}
		for n := a; n <= b && step > 0; n += step {
			if !slices.Contains(set, n) {
				set = append(set, n)
			}
		}
	}
	slices.Sort(set)
	return set
}

// names replaces the names in a field by their numbers.
func names(field, all string, first int) string {
	field = strings.ToLower(field)
	for i, name := range strings.Fields(all) {
		field = strings.ReplaceAll(field, name, strconv.Itoa(first+i))
	}
	return field
}

func weekdays(field string) string {
	var texts []string
	for day := range 7 {
		set := numbers(names(field, "sun mon tue wed thu fri sat", 0), 0, 7)
		if slices.Contains(set, day) || day == 0 && slices.Contains(set, 7) {
			texts = append(texts, time.Weekday(day).String()[:3])
		}
	}
	if len(texts) == 7 {
		return ""
	}
	return strings.Join(texts, ",")
}
