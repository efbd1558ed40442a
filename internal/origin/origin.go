// Package origin knows how browsers write where a page is from. They compare origins
// byte for byte, and so does this service: what people write in settings is held to the
// one spelling that browsers send.
package origin

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Of is the origin of an address as browsers write it
// (https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin): scheme and host in
// lower case, an IPv6 address in its shortest form, the port where it is not the scheme's
// own, and no more. It is "" for what is no http(s) address, and for hosts that browsers
// write in another way than they are given: names beyond ASCII, and numbers that mean an
// IPv4 address.
func Of(u *url.URL) string {
	scheme := strings.ToLower(u.Scheme)
	own, ok := map[string]uint64{"http": 80, "https": 443}[scheme]
	host := hostOf(u.Hostname())
	if !ok || host == "" {
		return ""
	}
	if u.Port() == "" {
		return scheme + "://" + host
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err != nil:
		return ""
	case port == own:
		return scheme + "://" + host
	}
	return scheme + "://" + host + ":" + strconv.FormatUint(port, 10)
}

// Is tells whether a text is an origin as browsers send it. "null", which sandboxed and
// local pages send, is none.
func Is(text string) bool {
	u, err := url.Parse(text)
	return err == nil && text != "" && Of(u) == text
}

// IsLoopback tells whether a host, without a port and without brackets, is the machine
// itself.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// hostOf writes a host; "" for one that is not in the form that browsers send.
func hostOf(name string) string {
	name = strings.ToLower(name)
	ip, err := netip.ParseAddr(name)
	switch {
	case err == nil && ip.Zone() != "":
		return ""
	case err == nil && ip.Is4In6(): // netip ends these in the form of IPv4, browsers do not
		b := ip.As16()
		return fmt.Sprintf("[::ffff:%x:%x]", uint16(b[12])<<8|uint16(b[13]), uint16(b[14])<<8|uint16(b[15]))
	case err == nil && ip.Is6():
		return "[" + ip.String() + "]"
	case err == nil:
		return name
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" || endsInNumber(name):
		return ""
	}
	return name
}

// endsInNumber tells that browsers take a name for an IPv4 address
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func endsInNumber(name string) bool {
	name = strings.TrimSuffix(name, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	if digits, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
