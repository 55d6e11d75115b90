package nomadtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/hashicorp/nomad/api"
)

// RemoveFiles removes the files of every allocation, as a client does with
// those that ended a while ago.
func (s *Server) RemoveFiles() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.allocs {
		os.RemoveAll(filepath.Join(s.dir, a.stub.ID))
	}
}

// logs serves what a task wrote to stderr, in one frame.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("alloc")
	text, err := os.ReadFile(filepath.Join(s.dir, filepath.Base(id), "local", "stderr"))
	if err != nil {
		http.Error(w, fmt.Sprintf("state for allocation %s not found on client", id), http.StatusNotFound)
		return
	}
	json.NewEncoder(w).Encode(api.StreamFrame{Data: text, File: "stderr", Offset: int64(len(text))})
}
