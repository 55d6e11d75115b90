package kernel

import (
	"fmt"
	"slices"
	"strconv"
)

// WithModules returns a specification whose Python kernels find modules in
// dir, after all other places, so that nothing of the user's is hidden. Other
// kernels are left as they are.
func (s Spec) WithModules(dir string) Spec {
	if !s.ipykernel() {
		return s
	}
	// PYTHONPATH would come before what is installed.
	line := fmt.Sprintf("import sys; sys.path.append(%s); del sys", strconv.QuoteToASCII(dir))
	s.Argv = append(slices.Clone(s.Argv), "--InteractiveShellApp.exec_lines="+line)
	return s
}
