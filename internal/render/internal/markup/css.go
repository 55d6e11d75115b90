package markup

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/internal/pattern"
)

const (
	colourPattern = `(?:#[0-9a-f]{3,8}|[a-z]{3,20}|rgba?\([0-9., %/]{1,40}\))`
	stopPattern   = `(?:-?[0-9.]{1,8}deg|to [a-z]{3,6}|` + colourPattern + `(?: -?[0-9.]{1,8}%){0,2})`
)

// properties are the styles that a cell may bring with it, and what each may be.
// None of them loads anything, or leaves its cell. They are compiled on use: few
// processes need them.
var properties = sync.OnceValue(func() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"color":            regexp.MustCompile(`^` + colourPattern + `$`),
		"background-color": regexp.MustCompile(`^` + colourPattern + `$`),
		"background":       regexp.MustCompile(`^(?:` + colourPattern + `|linear-gradient\( ?` + stopPattern + `(?: ?, ?` + stopPattern + `){0,20} ?\))$`),
		"font-weight":      regexp.MustCompile(`^(?:bold|bolder|normal|lighter|[1-9]00)$`),
		"font-style":       regexp.MustCompile(`^(?:italic|normal)$`),
		"text-align":       regexp.MustCompile(`^(?:left|right|center|justify)$`),
		"text-decoration":  regexp.MustCompile(`^(?:underline|line-through|none)$`),
		"width":            regexp.MustCompile(`^[0-9.]{1,6}(?:em|%|px)$`),
	}
})

const longestStyle = 2000

// styleOf returns what of a list of declarations a page of ours may hold. Text
// on a background of its own gets a colour that can be read.
func styleOf(declarations string) string {
	if len(declarations) > longestStyle {
		return ""
	}
	var kept []string
	background, coloured := "", false
	for declaration := range strings.SplitSeq(declarations, ";") {
		name, text, _ := strings.Cut(declaration, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		text = strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(text, "!important", "")), " "))
		if allowed := properties()[name]; allowed == nil || !allowed.MatchString(text) {
			continue
		}
		coloured = coloured || name == "color"
		if strings.HasPrefix(name, "background") {
			background = text
		}
		kept = append(kept, name+":"+text)
	}
	if background != "" && !coloured {
		kept = append(kept, "color:"+readableOn(background))
	}
	return strings.Join(kept, ";")
}

// readableOn is black or white, whichever stands out more; black where the
// background is not a colour in hexadecimal digits.
func readableOn(background string) string {
	n, err := strconv.ParseUint(strings.TrimPrefix(background, "#"), 16, 32)
	if err != nil || len(background) != 7 {
		return "#000"
	}
	if 299*(n>>16)+587*(n>>8&255)+114*(n&255) < 128000 {
		return "#fff"
	}
	return "#000"
}

var (
	cssComment = pattern.Of(`(?s)/\*.*?\*/`)
	cssRule    = pattern.Of(`([^{}]+)\{([^{}]*)\}`)
)

// stylesByID reads the rules of a style sheet that name single elements.
func stylesByID(sheet string) map[string]string {
	byID := map[string]string{}
	for _, rule := range cssRule().FindAllStringSubmatch(cssComment().ReplaceAllString(sheet, ""), -1) {
		style := styleOf(rule[2])
		if style == "" {
			continue
		}
		for selector := range strings.SplitSeq(rule[1], ",") {
			if id, ok := strings.CutPrefix(strings.TrimSpace(selector), "#"); ok && !strings.ContainsAny(id, " .:>+~[") {
				byID[id] += style + ";"
			}
		}
	}
	return byID
}
