// Package auth has what Traefik's middlewares need to be built, and lets nobody in: the fork of it that Traefik uses is
// not served by Go's module proxy.
package auth

import "net/http"

// SecretProvider tells the secret of a user.
type SecretProvider func(user, realm string) string

// BasicAuth refuses.
type BasicAuth struct {
	Realm   string
	Secrets SecretProvider
}

// RequireAuth refuses.
func (*BasicAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) { refuse(w) }

// CheckSecret refuses.
func CheckSecret(string, string) bool { return false }

// DigestAuth refuses.
type DigestAuth struct{}

// NewDigestAuthenticator makes one.
func NewDigestAuthenticator(string, SecretProvider) *DigestAuth { return &DigestAuth{} }

// CheckAuth knows nobody.
func (*DigestAuth) CheckAuth(*http.Request) (string, *string) { return "", nil }

// RequireAuth refuses.
func (*DigestAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) { refuse(w) }

// RequireAuthStale refuses.
func (*DigestAuth) RequireAuthStale(w http.ResponseWriter, _ *http.Request) { refuse(w) }

// DigestAuthParams finds nothing.
func DigestAuthParams(string) map[string]string { return nil }

func refuse(w http.ResponseWriter) { http.Error(w, "this build lets nobody in", http.StatusUnauthorized) }
