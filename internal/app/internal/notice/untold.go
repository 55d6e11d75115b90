package notice

import (
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/secret"
	"github.com/fanout-dev/fanout/internal/unit"
)

// mostWords is how much of what a mail server complains is repeated.
const mostWords = 1000

// untold is an error without what the notice keeps to itself: servers repeat in their
// complaints what they were told.
func untold(n grid.Notice, err error) error {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		if n.Mail.User != "" && secret.Check(password(n)) != nil { // it cannot be found in what the server says
			return fmt.Errorf("mail through %s: it answers %d", n.Mail.Server, reply.Code)
		}
		err = errors.New(unit.Cut(err.Error(), mostWords))
	}
	mask, unmasked := secret.New(slices.DeleteFunc(append(tokens(n), password(n)), func(text string) bool { return secret.Check(text) != nil }))
	if unmasked != nil {
		return unmasked
	}
	return mask.Error(err)
}

// password is that of the account at the mail server, if there is one.
func password(n grid.Notice) string {
	if n.Mail == nil {
		return ""
	}
	return os.Getenv(n.Mail.PasswordEnv)
}

// tokens are the parts of a webhook's URL that may be one.
func tokens(n grid.Notice) []string {
	u, err := url.Parse(hook(n))
	if err != nil {
		return nil // nobody was asked
	}
	password, _ := u.User.Password()
	all := append(strings.Split(u.EscapedPath(), "/"), u.RawQuery, password)
	for _, values := range u.Query() {
		all = append(all, values...)
	}
	return all
}

// hook is the URL of a webhook, if there is one.
func hook(n grid.Notice) string {
	if n.WebhookEnv != "" {
		return os.Getenv(n.WebhookEnv)
	}
	return n.Webhook
}
