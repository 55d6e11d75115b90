package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/licensecheck"
)

// noticesName is the name of the file with everybody's licences.
const noticesName = "THIRD_PARTY_NOTICES.txt"

// allowed are the licences that what we ship may have. They ask for their notice, and
// for the source of what is not changed here, at most; those of fonts and documents
// are for fonts and documents. Another one is a decision, so it stops the build.
var allowed = []string{
	"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0", "CC0-1.0", "FTL", "HPND",
	"ISC", "MIT", "MPL-2.0", "OFL-1.1", "SMLNJ", "Unlicense", "Zlib",
}

// reviewed are the texts, by their SHA-256, that no program recognises and somebody
// has read. The licence may be in another file of the module.
var reviewed = map[string]struct{ id, text string }{
	// The user's choice of the FreeType licence or the GPL.
	"d3ba056adc2b7909e95681deaae397fb37c97ed491a920f491214f07b62c41d0": {"FTL", "licenses/ftl.txt"},
	// Apache-2.0, and the licences of what Arrow in other languages is built from.
	"bd939b3a0ca7ffedd7444240915f4f297f09739fa9d07bac8c85ec4ea8c94c35": {"Apache-2.0", ""},
	// Lucent's words, which are those of Standard ML of New Jersey.
	"eb4df27f95a096a23d88e567331a4bee5590d22185942a1b0456197e29d03e59": {"SMLNJ", ""},
}

// A licence is what somebody else's part of fanout may be used under.
type licence struct {
	kind    string // of package, as in a package URL: golang, npm
	name    string
	version string
	sum     string   // Go's own, of modules
	ids     []string // SPDX, sorted
	texts   []file
}

var (
	licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-._].*)?$`)
	noticeName  = regexp.MustCompile(`(?i)^(notice|patents|copyright)([-._].*)?$`)
)

// licences are those of everything in a binary, sorted by name.
func (d *dist) licences(b *binary) ([]licence, error) {
	dirs, err := d.packages(b.target)
	if err != nil {
		return nil, err
	}
	goroot, err := output(d.goCommand(b.target, "env", "GOROOT"))
	if err != nil {
		return nil, err
	}
	standard := licence{kind: "golang", name: "stdlib", version: strings.TrimPrefix(b.info.GoVersion, "go")}
	all, wrong := []licence{}, []string{}
	add := func(l licence, top string, dirs []string) {
		if err := l.read(top, dirs); err != nil {
			wrong = append(wrong, err.Error())
		}
		all = append(all, l)
	}
	add(standard, goroot, []string{goroot})
	for _, m := range b.info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		found := dirs[m.Path]
		add(licence{kind: "golang", name: m.Path, version: m.Version, sum: m.Sum}, found.top, found.dirs)
	}
	vendored, err := d.vendored()
	if err != nil {
		return nil, err
	}
	for _, l := range vendored {
		if err := l.classify(); err != nil {
			wrong = append(wrong, err.Error())
		}
		all = append(all, l)
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("read the licences of what fanout is built from:\n  %s", strings.Join(wrong, "\n  "))
	}
	slices.SortFunc(all, func(a, b licence) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name)) })
	return all, nil
}

// modulePackages are the folders of a module's packages that a binary has in it.
type modulePackages struct {
	top  string
	dirs []string
}

func (d *dist) packages(t target) (map[string]modulePackages, error) {
	const format = `{{with .Module}}{{.Path}}{{"\t"}}{{.Dir}}{{"\t"}}{{$.Dir}}{{end}}`
	listed, err := output(d.goCommand(t, "list", "-deps", "-f", format, "./cmd/fanout"))
	if err != nil {
		return nil, err
	}
	found := map[string]modulePackages{}
	for line := range strings.SplitSeq(listed, "\n") {
		if parts := strings.Split(line, "\t"); len(parts) == 3 {
			m := found[parts[0]]
			m.top, m.dirs = parts[1], append(m.dirs, parts[2])
			found[parts[0]] = m
		}
	}
	return found, nil
}

// read reads the licences in folders, and in those above them up to top.
func (l *licence) read(top string, dirs []string) error {
	if top == "" {
		return fmt.Errorf("%s %s: its files are not in the module cache: run `go mod download`", l.name, l.version)
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		for ; !seen[dir]; dir = filepath.Dir(dir) {
			seen[dir] = true
			if dir == top {
				break
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(seen)) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() || !licenceName.MatchString(e.Name()) && !noticeName.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			content, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			name, err := filepath.Rel(top, filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			l.texts = append(l.texts, file{name: filepath.ToSlash(name), content: content})
			if also := reviewed[digest(content)].text; also != "" {
				if content, err = os.ReadFile(filepath.Join(top, also)); err != nil {
					return err
				}
				l.texts = append(l.texts, file{name: also, content: content})
			}
		}
	}
	return l.classify()
}

func digest(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }

// classify says by its texts which licences these are.
func (l *licence) classify() error {
	ids := map[string]bool{}
	for _, f := range l.texts {
		if found, ok := reviewed[digest(f.content)]; ok {
			ids[found.id] = true
			continue
		}
		if noticeName.MatchString(filepath.Base(f.name)) {
			continue
		}
		matches := licensecheck.Scan(f.content).Match
		if len(matches) == 0 {
			return fmt.Errorf("%s %s: the licence in %s is unknown: read it, and add it to the reviewed ones", l.name, l.version, f.name)
		}
		for _, m := range matches {
			if !m.IsURL {
				ids[m.ID] = true
			}
		}
	}
	l.ids = slices.Sorted(maps.Keys(ids))
	foreign := slices.DeleteFunc(slices.Clone(l.ids), func(id string) bool { return slices.Contains(allowed, id) })
	if len(foreign) > 0 {
		return fmt.Errorf("%s %s: licences that are not among the allowed ones: %s", l.name, l.version, strings.Join(foreign, ", "))
	}
	if len(l.ids) == 0 {
		return fmt.Errorf("%s %s: it has no licence", l.name, l.version)
	}
	return nil
}

var vendoredRow = regexp.MustCompile(`(?m)^\| [^|]+ \| ([^|]+) \| ([^|]+) \| \[[^\]]+\]\(([^)]+)\) \| [0-9a-f]{64} \|$`)

// vendored are the files of npm's packages that the binary carries, as the table
// beside them lists them.
func (d *dist) vendored() ([]licence, error) {
	dir := filepath.Join(d.root, "templates", "vendor")
	table, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		return nil, err
	}
	var all []licence
	for _, m := range vendoredRow.FindAllSubmatch(table, -1) {
		text, err := os.ReadFile(filepath.Join(dir, string(m[3])))
		if err != nil {
			return nil, err
		}
		all = append(all, licence{kind: "npm", name: string(m[1]), version: string(m[2]), texts: []file{{name: string(m[3]), content: text}}})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read %s/README.md: no row of its table names a package", dir)
	}
	return all, nil
}

// notices are the licences of everything in a binary, for people: a list, then the
// texts, each once.
func (b *binary) notices() ([]byte, error) {
	var out bytes.Buffer
	fmt.Fprintf(&out, "fanout for %s/%s contains the work of others, under these licences. Their texts follow.\n\n", b.os, b.arch)
	users, texts := map[string][]string{}, []string{}
	for _, l := range b.licences {
		name := l.name + " " + l.version
		fmt.Fprintf(&out, "%s  %s\n", name, strings.Join(l.ids, ", "))
		for _, f := range l.texts {
			text := strings.TrimSpace(strings.ReplaceAll(unicoded(f.content), "\r\n", "\n"))
			if users[text] == nil {
				texts = append(texts, text)
			}
			users[text] = append(users[text], name+" ("+f.name+")")
		}
	}
	for _, text := range texts {
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 78), strings.Join(users[text], "\n"), text)
	}
	return out.Bytes(), nil
}

// unicoded is a text in UTF-8; one that is not is in Latin-1.
func unicoded(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	runes := make([]rune, len(text))
	for i, b := range text {
		runes[i] = rune(b)
	}
	return string(runes)
}
