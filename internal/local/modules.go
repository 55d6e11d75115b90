package local

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/fanout-dev/fanout/templates"
)

// writeModules puts the modules that notebooks may import without installing
// them into dir: fanout_glue, also under the name of the package it replaces.
func writeModules(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "fanout_glue.py"), templates.Glue, 0o666),
		os.WriteFile(filepath.Join(dir, "scrapbook.py"), templates.Glue, 0o666),
	)
}
