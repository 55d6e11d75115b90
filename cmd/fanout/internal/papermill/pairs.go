package papermill

import "strings"

// Separator joins the two words of a flag that takes a name and a value.
// No argument of a process can hold it.
const Separator = "\x00"

// pairFlags take two words, as papermill's do.
var pairFlags = map[string]bool{
	"-p": true, "--parameters": true,
	"-r": true, "--parameters_raw": true, "--parameters-raw": true,
	"--secret": true,
}

// SplitPairs makes "-p name value" one argument for exec, so that values may
// begin with a dash ("-p x -1") and names and values may hold anything.
func SplitPairs(args []string) []string {
	if !isExec(args) {
		return args
	}
	var out []string
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--":
			return append(out, args[i:]...)
		case pairFlags[args[i]] && i+2 < len(args):
			out = append(out, longName(args[i])+"="+args[i+1]+Separator+args[i+2])
			i += 2
		default:
			out = append(out, args[i])
		}
	}
	return out
}

func longName(flag string) string {
	switch flag {
	case "-p":
		return "--parameters"
	case "-r", "--parameters-raw":
		return "--parameters_raw"
	}
	return flag
}

// isExec reports whether the first word that is not a flag is exec.
func isExec(args []string) bool {
	for i := 0; i < len(args); i++ {
		if args[i] == "--config" {
			i++
			continue
		}
		if !strings.HasPrefix(args[i], "-") {
			return args[i] == "exec"
		}
	}
	return false
}
