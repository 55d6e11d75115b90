package local

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/kernel"
)

func (e *executor) preflight(ctx context.Context, run string) error {
	modules := e.kernels.recipe.Modules
	st, ok := e.sweep.Run(run)
	if !ok || len(modules) == 0 {
		return nil
	}
	template, _, err := e.sweep.TemplateOf(ctx, st.Run)
	if err != nil {
		return err
	}
	workdir, err := e.kernels.newWorkdir(st.Run, template, 0)
	if err != nil {
		return err
	}
	defer workdir.remove()
	k, _, err := e.kernels.launch(ctx, workdir)
	if err != nil {
		return err
	}
	defer k.Close(e.o.Grace)
	answer, err := missingModules(ctx, k, modules)
	if err != nil || len(answer.Missing) == 0 {
		return err
	}
	return &missingError{answer.Missing, answer.Python, e.machine.host}
}

// findModules prints which of a list of modules the interpreter cannot find.
const findModules = `
def _missing(names):
    import importlib.util, json, sys
    def there(name):
        try:
            return importlib.util.find_spec(name.split(".")[0]) is not None
        except Exception:
            return True
    print(json.dumps({"missing": [n for n in names if not there(n)], "python": sys.executable}))
_missing(%s)
`

type modulesAnswer struct {
	Missing []string `json:"missing"`
	Python  string   `json:"python"`
}

func missingModules(ctx context.Context, k *kernel.Kernel, modules []string) (a modulesAnswer, err error) {
	list, err := json.Marshal(modules)
	if err != nil {
		return a, err
	}
	var printed strings.Builder
	_, err = k.Execute(ctx, fmt.Sprintf(findModules, list), kernel.ExecuteOptions{}, func(m kernel.Message) {
		var out struct {
			Name, Text string
		}
		if m.Header.MsgType == "stream" && json.Unmarshal(m.Content, &out) == nil && out.Name == "stdout" {
			printed.WriteString(out.Text)
		}
	})
	if err != nil {
		return a, fmt.Errorf("look for the modules that the template imports: %w", err)
	}
	json.Unmarshal([]byte(printed.String()), &a) // no answer: nothing is known to be missing
	return a, nil
}

// missingError reports modules that a machine lacks.
type missingError struct {
	modules      []string
	python, host string
}

func (e *missingError) Error() string {
	return fmt.Sprintf("the template imports %s, which %s on %s does not have", strings.Join(e.modules, ", "), e.python, e.host)
}

// Hint says what to do about it.
func (e *missingError) Hint() string {
	return fmt.Sprintf("%s -m pip install %s there, or name another interpreter with `python:`", e.python, strings.Join(e.modules, " "))
}
