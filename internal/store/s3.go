package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob/s3blob"
)

// How long requests are retried while a store is down or throttles: this many
// attempts, with pauses that grow from the first to the longest, take about four
// minutes.
const (
	attempts   = 38
	firstPause = 50 * time.Millisecond
	maxPause   = 10 * time.Second
)

// pause is how long to wait after the n-th attempt, from 1. Half of it is random, so
// that clients that were refused together do not come back together.
func pause(n int) time.Duration {
	d := min(firstPause<<min(max(n-1, 0), 16), maxPause)
	return d/2 + rand.N(d/2)
}

// How long one attempt may make no progress.
const (
	dialLimit  = 10 * time.Second
	replyLimit = 60 * time.Second
)

func openS3(ctx context.Context, u *url.URL, prefix string) (Store, error) {
	if err := checkParameters(u, "region", "endpoint", "profile", "use_path_style"); err != nil {
		return nil, err
	}
	q := u.Query()
	o := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(limitTransport)),
		config.WithRetryer(func() aws.Retryer { return patient() }),
		// Servers other than Amazon's reject the checksums that the client adds
		// by default.
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
	}
	if v := q.Get("region"); v != "" {
		o = append(o, config.WithRegion(v))
	}
	if v := q.Get("profile"); v != "" {
		o = append(o, config.WithSharedConfigProfile(v))
	}
	cfg, err := config.LoadDefaultConfig(ctx, o...)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", u, err)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	clock := &clock{}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		if v := q.Get("endpoint"); v != "" {
			o.BaseEndpoint = aws.String(v)
		}
		// Private servers seldom have a host name per bucket.
		o.UsePathStyle = o.BaseEndpoint != nil && q.Get("use_path_style") != "false" || q.Get("use_path_style") == "true"
		o.HTTPClient = clockedClient{o.HTTPClient, clock}
	})
	b, err := s3blob.OpenBucket(ctx, client, u.Host, &s3blob.Options{RequestChecksumCalculation: cfg.RequestChecksumCalculation})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", u, err)
	}
	return newBucket(b, u.String(), prefix, clock, hintS3), nil
}

// maxRedirects is how often a request is sent elsewhere. S3 does so once, while a
// bucket is new.
const maxRedirects = 5

// redirectedError reports a server that redirects for ever. The SDK would follow it.
type redirectedError struct{}

func (redirectedError) Error() string { return "the server redirects for ever" }

// CanceledError keeps the SDK from sending the request again.
func (redirectedError) CanceledError() bool { return true }

func limitTransport(t *http.Transport) {
	t.DialContext = dialer.DialContext
	proxy := t.Proxy
	t.Proxy = func(r *http.Request) (*url.URL, error) { // which each request needs, redirected ones too
		hops := 0
		for from := r.Response; from != nil; from = from.Request.Response {
			if hops++; hops > maxRedirects {
				return nil, redirectedError{}
			}
		}
		if proxy == nil {
			return nil, nil
		}
		return proxy(r)
	}
	t.ResponseHeaderTimeout = replyLimit
	t.MaxIdleConnsPerHost = 32
}

// patient is the retryer of every request. It has no quota of retries: the pauses
// protect the store.
func patient() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.RateLimiter = attempts, ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(n int, _ error) (time.Duration, error) { return pause(n), nil })
		o.Retryables = append(o.Retryables,
			retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}},
			// Two conditional writes collided; the second has to be repeated.
			retry.RetryableErrorCode{Codes: map[string]struct{}{"ConditionalRequestConflict": {}, "OperationAborted": {}, "InternalError": {}}})
	})
}

// hintS3 says what to do about an error that retrying does not cure.
func hintS3(err error) string {
	var api smithy.APIError
	code := ""
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	switch code {
	case "NoSuchBucket":
		return "create the bucket, or correct its name in the URL"
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return "the bucket is in another region: add ?region=REGION to the URL"
	case "AccessDenied", "Forbidden", "AllAccessDisabled":
		return "the credentials may not do that: they need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		return "the credentials are wrong or have expired: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
	}
	if strings.Contains(err.Error(), "get credentials:") { // it has no type
		return "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
	}
	return ""
}
