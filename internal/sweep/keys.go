package sweep

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
)

// The keys of a sweep's objects, except those of its lease, which package lease
// knows. No other file, of no other package, spells one.
const (
	KeyFormat     = "FORMAT" // marks a place as a sweep's
	prefixPlan    = "plan/"
	prefixFrozen  = "frozen/"
	prefixLog     = "log/"
	prefixAttempt = "attempts/"
	prefixRuns    = "runs/"
	prefixShards  = "shards/"
	prefixBeats   = "beats/"
	// PrefixCollected is where collect keeps what it read: a cache.
	PrefixCollected = "collected/"

	// PrefixBundles is where the files are that drafting the sweep takes.
	PrefixBundles = "kits/"
	// PrefixArtifacts is where kept files are, a folder a run.
	PrefixArtifacts = "artifacts/"
	// PrefixResults is where the tables are.
	PrefixResults = "results/"
	// SummaryNotebook, SummaryHTML and SummaryMarkdown are the summary's keys.
	SummaryNotebook = "summary.ipynb"
	SummaryHTML     = "summary.html"
	SummaryMarkdown = "summary.md"
	// Unusual says which values of the last date are unusual; sweeps without dates have none.
	Unusual = "unusual.json"
	// OwnReport is the user's own report, executed.
	OwnReport = "report.ipynb"
)

// What FORMAT holds. A sweep has the first version that describes it, so that
// earlier fanouts read it as long as they can.
const (
	formatName  = "fanout-sweep"
	formatFirst = 1
	formatSteps = 2 // runs need each other
)

func keyPlanRuns(n int) string { return fmt.Sprintf("%s%06d.jsonl", prefixPlan, n) }
func keyPlanHead(n int) string { return fmt.Sprintf("%s%06d.json", prefixPlan, n) }
func keyLog(epoch int, writer string) string {
	return fmt.Sprintf("%s%06d/%s.jsonl", prefixLog, epoch, writer)
}

func keyShard(id string) string     { return prefixShards + id + ".json" }
func keyBeat(id string) string      { return prefixBeats + id + ".json" }
func keyClaim(id string) string     { return prefixShards + id + ".claim" }
func keyRecall(id string) string    { return prefixShards + id + ".recall" }
func keyComplaint(id string) string { return prefixShards + id + ".complaint" }
func keyDiary(id string) string     { return prefixShards + id + ".log" }

func keyFrozen(sha, ext string) string { return prefixFrozen + sha + ext }

// AttemptKey is the key of the notebook of an attempt that ended.
func AttemptKey(run string, n int) string { return fmt.Sprintf("%s%s.%d.ipynb", prefixAttempt, run, n) }
func keyPart(run string, n int) string {
	return fmt.Sprintf("%s%s.%d.part.ipynb", prefixAttempt, run, n)
}

// keyKept is where a file of an attempt is until the attempt stands for its run.
func keyKept(run string, n, i int) string {
	return fmt.Sprintf("%s%s.%d.kept-%d", prefixAttempt, run, n, i)
}

// RunKey is the key of a run's notebook, which people open.
func RunKey(run string) string { return prefixRuns + run + ".ipynb" }

// LogKey is the key of what an attempt's kernel printed outside its cells.
func LogKey(run string, n int) string { return fmt.Sprintf("%s%s.%d.log", prefixAttempt, run, n) }

// parseAttempt is the inverse of AttemptKey; part notebooks and logs are not
// attempts that ended.
func parseAttempt(key string) (run string, n int, ok bool) {
	name, isNotebook := strings.CutSuffix(strings.TrimPrefix(key, prefixAttempt), ".ipynb")
	run, num, dotted := strings.Cut(name, ".")
	n, err := strconv.Atoi(num)
	return run, n, isNotebook && dotted && err == nil && n > 0 && n <= journal.MaxAttempts
}
