package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

const (
	// keyBytes is the length of a key: AES-256.
	keyBytes = 32
	// sealVersion is the first byte of everything that is sealed.
	sealVersion = 1
	// sealPrefix is the version and the key's id.
	sealPrefix = 1 + keyIDBytes
	keyIDBytes = 4
)

// errSealed says that something can't be opened: it was sealed with a key that is not
// in the ring, belongs elsewhere, or is not what was sealed.
var errSealed = errors.New("session: what was sealed can't be opened with these keys")

// Keyring seals what lies in the database and in cookies of a sign-in: by AES-256-GCM,
// with a key for each purpose that is derived from the newest key by HKDF. It opens what any of its keys has sealed. It never prints a key.
//
// To change keys while several processes run: add the new key at the end of the list
// everywhere; then move it to the front everywhere; then, when the longest session is
// over, take the old one away.
type Keyring struct{ keys []sealKey }

// sealKey is one key of the ring, as a key of its own for each purpose: what is to be had
// of one, such as cookies that anybody gets by the million, tells nothing of another.
type sealKey struct {
	id    [keyIDBytes]byte
	aeads map[string]cipher.AEAD
}

// ParseKeys reads keys of 32 random bytes in base64, separated by commas, the newest
// first. Its errors repeat nothing of the text.
func ParseKeys(text string) (*Keyring, error) {
	var ring Keyring
	for i, word := range strings.Split(text, ",") {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(word))
		if err != nil || len(raw) != keyBytes {
			return nil, fmt.Errorf("session key %d is not %d bytes in base64; make one with: openssl rand -base64 %d", i+1, keyBytes, keyBytes)
		}
		key, err := newSealKey(raw)
		if err != nil {
			return nil, fmt.Errorf("session key %d: %w", i+1, err)
		}
		if _, twice := ring.find(key.id[:]); twice {
			return nil, fmt.Errorf("session key %d is there twice", i+1)
		}
		ring.keys = append(ring.keys, key)
	}
	return &ring, nil
}

func newSealKey(raw []byte) (sealKey, error) {
	// The id only tells keys apart: 4 bytes of a one-way value.
	sum := sha256.Sum256(append([]byte("erpgraph session key\x00"), raw...))
	key := sealKey{id: [keyIDBytes]byte(sum[:]), aeads: map[string]cipher.AEAD{}}
	for _, purpose := range []string{forAccess, forRefresh, forSignIn} {
		aead, err := newAEAD(raw, purpose)
		if err != nil {
			return sealKey{}, err
		}
		key.aeads[purpose] = aead
	}
	return key, nil
}

func newAEAD(raw []byte, purpose string) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, raw, nil, "erpgraph session: "+purpose, keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (k *Keyring) find(id []byte) (sealKey, bool) {
	for _, key := range k.keys {
		if string(key.id[:]) == string(id) {
			return key, true
		}
	}
	return sealKey{}, false
}

// seal encrypts text for one purpose and one owner, such as the row it will lie in:
//
//	version (1) | id of the key (4) | nonce (12) | ciphertext and tag
//
// The first two, the purpose and the owner are authenticated: moved to another place
// the text can't be opened.
func (k *Keyring) seal(purpose string, owner, text []byte) []byte {
	key := k.keys[0]
	prefix := append([]byte{sealVersion}, key.id[:]...)
	return key.aeads[purpose].Seal(prefix, nil, text, additional(prefix, purpose, owner)) //nolint:gosec // G407: this AEAD makes a random nonce by itself
}

// open gives back what was sealed for the same purpose and owner; else errSealed.
func (k *Keyring) open(purpose string, owner, sealed []byte) ([]byte, error) {
	if len(sealed) < sealPrefix || sealed[0] != sealVersion {
		return nil, errSealed
	}
	prefix, rest := sealed[:sealPrefix], sealed[sealPrefix:]
	key, ok := k.find(prefix[1:])
	if !ok {
		return nil, errSealed
	}
	aead, ok := key.aeads[purpose]
	if !ok {
		return nil, errSealed
	}
	text, err := aead.Open(nil, nil, rest, additional(prefix, purpose, owner))
	if err != nil {
		return nil, errSealed
	}
	return text, nil
}

// additional is what is authenticated beside the text. The purpose's length keeps
// purpose and owner apart.
func additional(prefix []byte, purpose string, owner []byte) []byte {
	out := append([]byte("erpgraph "), prefix...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(purpose))) //nolint:gosec // a short constant
	out = append(out, purpose...)
	return append(out, owner...)
}

// Format never shows a key.
func (*Keyring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[keyring]")) }

// LogValue never shows a key.
func (*Keyring) LogValue() slog.Value { return slog.StringValue("[keyring]") }
