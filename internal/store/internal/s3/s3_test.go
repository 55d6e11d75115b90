package s3

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// TestRedirects: credentials stay with the server that was asked, which may send a
// request elsewhere in itself.
func TestRedirects(t *testing.T) {
	stolen := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/here":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	for path, want := range map[string]int{"/away": http.StatusTemporaryRedirect, "/here": http.StatusOK} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Security-Token", "secret")
		res, err := near(awshttp.NewBuildableClient()).Do(r)
		if err != nil {
			t.Fatal(path, err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, res.StatusCode, want)
		}
	}
	if stolen != 0 {
		t.Error("another server was asked")
	}
	for host, want := range map[string]bool{"b.s3.amazonaws.com": true, "b.s3.cn-north-1.amazonaws.com.cn": true, "amazonaws.com.evil.example": false, "xamazonaws.com": false} {
		if amazons(&url.URL{Host: host}) != want {
			t.Errorf("%s: want %v", host, want)
		}
	}
}
