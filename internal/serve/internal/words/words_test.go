package words

import "testing"

// A sentence begins with a capital letter; a path, a command, a name of somebody's own
// and what is quoted stay what they are.
func TestCapital(t *testing.T) {
	for text, want := range map[string]string{
		"no such sweep":                        "No such sweep",
		"a firing did not end":                 "A firing did not end",
		"when? Fill in an expression of cron":  "When? Fill in an expression of cron",
		"its axes are x and y":                 "Its axes are x and y",
		"l'été, it isn't":                      "L'été, it isn't",
		"élan":                                 "Élan",
		"cell 2 raised KeyError":               "Cell 2 raised KeyError",
		"well-known":                           "Well-known",
		"lost":                                 "Lost",
		"lost.":                                "Lost.",
		"KeyError: a":                          "KeyError: a",
		"lead_days: want a whole number":       "lead_days: want a whole number",
		"days: want a whole number":            "days: want a whole number",
		"x is no number":                       "x is no number",
		"/tmp/a.sweep: nothing is planned yet": "/tmp/a.sweep: nothing is planned yet",
		"nights/a has no schedule":             "nights/a has no schedule",
		"sweep.yaml:3:1: want a list":          "sweep.yaml:3:1: want a list",
		"s3://bucket/a is away":                "s3://bucket/a is away",
		"fanout run a.yaml -o a":               "fanout run a.yaml -o a",
		"--auth none knows nobody":             "--auth none knows nobody",
		`"0 4 * * *" is every day at four`:     `"0 4 * * *" is every day at four`,
		"x2 differs":                           "x2 differs",
		"model=m is not planned":               "model=m is not planned",
		"":                                     "",
		" ":                                    " ",
		"…":                                    "…",
	} {
		if got := Capital(text); got != want {
			t.Errorf("%q is %q as a sentence, want %q", text, got, want)
		}
	}
}
