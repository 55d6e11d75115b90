// Package s3 speaks the protocol of Amazon S3 and of servers like it, with
// Amazon's SDK: credentials, regions and endpoints are looked for where Amazon's
// own tools look.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/fanout-dev/fanout/internal/certificate"
	"github.com/fanout-dev/fanout/internal/store/internal/remote"
)

// Parameters are those that an s3:// URL may have.
var Parameters = []string{"region", "endpoint", "profile", "use_path_style"}

type protocol struct {
	client *s3.Client
	upload *transfermanager.Client // in parts, where an object is too large for one request
	bucket *string
}

// Open returns the protocol for the bucket that u names. It asks no server
// anything. clock follows the server's, and health knows whether it answers.
func Open(ctx context.Context, u *url.URL, clock *remote.Clock, health *remote.Health) (remote.Protocol, error) {
	q := u.Query()
	cfg, err := config.LoadDefaultConfig(ctx, loadOptions(q, health)...)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		if v := q.Get("endpoint"); v != "" {
			o.BaseEndpoint = aws.String(v)
		}
		// Private servers seldom have a host name per bucket.
		o.UsePathStyle = o.BaseEndpoint != nil && q.Get("use_path_style") != "false" || q.Get("use_path_style") == "true"
		o.HTTPClient = remote.Watched(near(o.HTTPClient), clock, health)
	})
	upload := transfermanager.New(client, func(o *transfermanager.Options) {
		o.RequestChecksumCalculation = cfg.RequestChecksumCalculation
		o.FailTimeout = 10 * time.Second // to remove the parts of what is given up
	})
	return &protocol{client, upload, aws.String(u.Host)}, nil
}

// near is a client that takes credentials to no other server than the one it asked,
// except from one of Amazon's to another, which new buckets need. The transport
// says how often.
func near(c aws.HTTPClient) aws.HTTPClient {
	b, ok := c.(*awshttp.BuildableClient)
	if !ok {
		return c
	}
	return &http.Client{Transport: b.GetTransport(), CheckRedirect: func(r *http.Request, via []*http.Request) error {
		status, from, to := r.Response.StatusCode, via[0].URL, r.URL
		moved := status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect
		if !moved || from.Scheme != to.Scheme || from.Host != to.Host && !(amazons(from) && amazons(to)) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func amazons(u *url.URL) bool {
	host := u.Hostname()
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

func loadOptions(q url.Values, health *remote.Health) []func(*config.LoadOptions) error {
	o := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(remote.Limit)),
		config.WithRetryer(func() aws.Retryer { return patient(health) }),
		config.WithLogger(logging.Nop{}), // what is wrong is in the error, and stderr is the printer's
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
	return o
}

// patient is the retryer of every request. It has no quota of retries: the pauses
// protect the store.
func patient(health *remote.Health) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.RateLimiter = health.Attempts(), ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(n int, _ error) (time.Duration, error) {
			health.Again(n)
			return remote.Pause(n), nil
		})
		o.Retryables = append(o.Retryables,
			retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}},
			// Two conditional writes collided; the second has to be repeated.
			retry.RetryableErrorCode{Codes: map[string]struct{}{"ConditionalRequestConflict": {}, "OperationAborted": {}, "InternalError": {}}})
	})
}

// name is how the server calls an object: XML has no control characters.
func name(key string) string { return remote.Escape(key, func(c byte) bool { return c < ' ' }) }

func (p *protocol) Read(ctx context.Context, key string, from int64) (io.ReadCloser, int64, error) {
	in := &s3.GetObjectInput{Bucket: p.bucket, Key: aws.String(name(key))}
	if from > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", from))
	}
	out, err := p.client.GetObject(ctx, in)
	if err != nil {
		return nil, 0, err
	}
	return out.Body, wholeSize(out), nil
}

// wholeSize is the size of the object of which a part was read.
func wholeSize(out *s3.GetObjectOutput) int64 {
	if _, of, ok := strings.Cut(aws.ToString(out.ContentRange), "/"); ok {
		if n, err := strconv.ParseInt(of, 10, 64); err == nil {
			return n
		}
	}
	if out.ContentLength == nil {
		return -1
	}
	return *out.ContentLength
}

func (p *protocol) Stat(ctx context.Context, key string) (remote.Object, error) {
	out, err := p.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: p.bucket, Key: aws.String(name(key))})
	if err != nil {
		return remote.Object{}, err
	}
	return remote.Object{Key: key, Size: aws.ToInt64(out.ContentLength), ModTime: aws.ToTime(out.LastModified), Writer: out.Metadata[remote.WriterKey]}, nil
}

func (p *protocol) Put(ctx context.Context, key string, data []byte, h remote.Header) error {
	return p.write(ctx, key, bytes.NewReader(data), h)
}

func (p *protocol) Stream(ctx context.Context, key string, r io.Reader) error {
	return p.write(ctx, key, r, remote.Header{})
}

func (p *protocol) write(ctx context.Context, key string, r io.Reader, h remote.Header) error {
	in := &transfermanager.UploadObjectInput{Bucket: p.bucket, Key: aws.String(name(key)), ContentType: aws.String(remote.ContentType(key)), Body: r}
	if h.Absent {
		in.IfNoneMatch = aws.String("*")
	}
	if h.Writer != "" {
		in.Metadata = map[string]string{remote.WriterKey: h.Writer}
	}
	_, err := p.upload.UploadObject(ctx, in)
	return err
}

func (p *protocol) Copy(ctx context.Context, dst, src string) error {
	from := url.QueryEscape(*p.bucket + "/" + name(src))
	_, err := p.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: p.bucket, Key: aws.String(name(dst)), CopySource: aws.String(from)})
	return err
}

func (p *protocol) Delete(ctx context.Context, key string) error {
	_, err := p.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: p.bucket, Key: aws.String(name(key))})
	return err
}

// errNoListing reports a reply that says of a success and of nothing else, such as the
// page of a proxy: the bucket is not empty for that.
var errNoListing = errors.New("the reply is no listing: the server is no object store, or a proxy stands before it")

func (p *protocol) Page(ctx context.Context, prefix, delimiter, token string) ([]remote.Object, string, error) {
	in := &s3.ListObjectsV2Input{Bucket: p.bucket, MaxKeys: aws.Int32(remote.PageSize)}
	for field, value := range map[**string]string{&in.Prefix: name(prefix), &in.Delimiter: delimiter, &in.ContinuationToken: token} {
		if value != "" {
			*field = aws.String(value)
		}
	}
	out, err := p.client.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, "", err
	}
	if out.Name == nil && out.IsTruncated == nil && out.KeyCount == nil && out.MaxKeys == nil && len(out.Contents)+len(out.CommonPrefixes) == 0 {
		return nil, "", errNoListing
	}
	var page []remote.Object
	for _, o := range out.Contents {
		page = append(page, remote.Object{Key: remote.Unescape(aws.ToString(o.Key)), Size: aws.ToInt64(o.Size), ModTime: aws.ToTime(o.LastModified)})
	}
	for _, o := range out.CommonPrefixes {
		page = append(page, remote.Object{Key: remote.Unescape(aws.ToString(o.Prefix)), Folder: true})
	}
	if len(out.Contents) > 0 && len(out.CommonPrefixes) > 0 { // each of them is in order
		slices.SortFunc(page, func(a, b remote.Object) int { return strings.Compare(a.Key, b.Key) })
	}
	return page, aws.ToString(out.NextContinuationToken), nil
}

// codeOf is the server's code of an error.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	var reply *awshttp.ResponseError // one without a body that says more
	if errors.As(err, &reply) {
		switch reply.HTTPStatusCode() {
		case http.StatusNotFound, http.StatusMovedPermanently:
			return "NotFound"
		case http.StatusUnauthorized, http.StatusForbidden:
			return "Forbidden"
		}
	}
	return ""
}

func (p *protocol) Judge(err error) (hint string, kind error) {
	switch codeOf(err) {
	case "NoSuchKey", "NotFound", "ObjectNotInActiveTierError":
		return "", fs.ErrNotExist
	case "PreconditionFailed":
		return "", fs.ErrExist
	case "NoSuchBucket":
		return "create the bucket, or correct its name in the URL", fs.ErrNotExist
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return "the bucket is in another region: add ?region=REGION to the URL", nil
	case "TemporaryRedirect":
		return "the server leads to another, which is not asked: name that one as ?endpoint=URL", nil
	case "RequestTimeTooSkewed":
		return "the clock of this machine is wrong", nil
	case "AccessDenied", "Forbidden":
		return mayNot, fs.ErrPermission
	case "AllAccessDisabled":
		return mayNot, nil
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		return "the credentials are wrong or have expired: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", nil
	}
	if errors.Is(err, errNoListing) {
		return "is ?endpoint=URL that of the object store?", nil
	}
	if hint := certificate.Hint(err, certificate.Settings{Authority: "AWS_CA_BUNDLE"}); hint != "" {
		return hint, nil
	}
	var reply *awshttp.ResponseError
	if errors.As(err, &reply) && reply.HTTPStatusCode() == http.StatusBadRequest && reply.Response.Request != nil && reply.Response.Request.URL.Scheme == "http" && codeOf(err) == "BadRequest" {
		return "does the server speak TLS? then its endpoint is https://", nil
	}
	if strings.Contains(err.Error(), "get credentials:") { // it has no type
		return "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", nil
	}
	return "", nil
}

const mayNot = "the credentials may not do that: they need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket"
