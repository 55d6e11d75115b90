package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
)

func openGCS(ctx context.Context, u *url.URL, prefix string) (Store, error) {
	if err := checkParameters(u); err != nil {
		return nil, err
	}
	clock := &clock{}
	client, err := googleClient(ctx, clock)
	if err != nil {
		return nil, &bucketError{fmt.Errorf("open %s: %w", u, err), noGoogle}
	}
	o := &gcsblob.Options{ClientOptions: []option.ClientOption{storage.WithJSONReads()}} // one API for everything
	b, err := gcsblob.OpenBucket(ctx, client, u.Host, o)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", u, err)
	}
	var gcs *storage.Client
	if b.As(&gcs) {
		// Every request can be repeated: what must happen once has a condition.
		gcs.SetRetry(storage.WithPolicy(storage.RetryAlways), storage.WithMaxAttempts(attempts),
			storage.WithBackoff(gax.Backoff{Initial: firstPause, Max: maxPause, Multiplier: 2}))
	}
	st := newBucket(b, u.String(), prefix, clock, hintGCS)
	st.rewrites = time.Second + time.Second/10 // it takes one write a second of one object
	return st, nil
}

const noGoogle = "there are no credentials: type `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"

func googleClient(ctx context.Context, clock *clock) (*gcp.HTTPClient, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	limitTransport(base)
	transport := clockedTransport{base, clock}
	if os.Getenv("STORAGE_EMULATOR_HOST") != "" {
		return gcp.NewAnonymousHTTPClient(transport), nil
	}
	creds, err := gcp.DefaultCredentials(ctx)
	if err != nil {
		return nil, err
	}
	return gcp.NewHTTPClient(transport, gcp.CredentialsTokenSource(creds))
}

func hintGCS(err error) string {
	var api *googleapi.Error
	switch {
	case errors.Is(err, storage.ErrBucketNotExist):
		return "create the bucket, or correct its name in the URL"
	case !errors.As(err, &api):
		return ""
	case api.Code == http.StatusForbidden:
		return "the credentials may not do that: they need the role Storage Object User on the bucket"
	case api.Code == http.StatusUnauthorized:
		return noGoogle
	}
	return ""
}
