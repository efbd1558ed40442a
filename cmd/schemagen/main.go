// Command schemagen makes the graph from the facts of DocTypes:
//
//	schemagen pull        facts of the DocTypes in schema/doctypes.yml, from a site
//	schemagen generate    SDL, graph/ and resolvers/*.gen.go from the facts, offline
//	schemagen new Name    a local type: its SDL file and its migration
//
// Run it from the root of the module.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"erpgraph/internal/schemagen"
)

// cli is the command line; kong prints its help texts.
type cli struct {
	Pull     pullCmd     `cmd:"" help:"Read the facts of the DocTypes in schema/doctypes.yml from a site."`
	Generate generateCmd `cmd:"" help:"Write SDL, graph/ and resolvers/*.gen.go from the facts. Needs no network."`
	New      newCmd      `cmd:"" help:"Scaffold a local type: its SDL file and its migration."`
}

type pullCmd struct {
	URL  string `name:"url" env:"ERPNEXT_URL" help:"The site, https://erp.example.com."`
	Key  string `env:"ERPNEXT_ADMIN_KEY" help:"API key of any user of the site as key:secret, or a whole Authorization header. Better given by the environment: other processes can read flags."`
	From string `help:"A folder of recorded metadata, one <DocType>.json each, instead of a site." type:"existingdir"`
}

// source is what to pull from. The credential goes nowhere but to the site.
func (c *pullCmd) source() (schemagen.MetaSource, error) {
	switch {
	case c.From != "":
		return schemagen.Folder{FS: os.DirFS(c.From)}, nil
	case c.URL == "":
		return nil, errors.New("pull: no site: set ERPNEXT_URL or --url (where the facts are), or --from (a folder of recorded metadata)")
	case c.Key == "":
		return nil, errors.New("pull: no credential: set ERPNEXT_ADMIN_KEY to key:secret of a user of the site; ERPNext shows metadata to any login, but not to guests")
	}
	authorization := c.Key
	if !strings.Contains(authorization, " ") {
		authorization = "token " + authorization
	}
	return schemagen.NewSite(c.URL, authorization)
}

// Run pulls, and tells what changed.
func (c *pullCmd) Run(ctx context.Context, out io.Writer) error {
	src, err := c.source()
	if err != nil {
		return err
	}
	pulled, err := schemagen.Pull(ctx, "schema", src)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d DocTypes and %d child tables\n", pulled.DocTypes, pulled.Children)
	for _, name := range pulled.Changed {
		fmt.Fprintln(out, "changed:", name)
	}
	for _, name := range pulled.Removed {
		fmt.Fprintln(out, "removed:", name)
	}
	for _, name := range pulled.Missing {
		fmt.Fprintln(out, "no such child table:", name)
	}
	if len(pulled.Changed)+len(pulled.Removed) > 0 {
		fmt.Fprintln(out, "next: go generate ./...")
	}
	return nil
}

type newCmd struct {
	Name string `arg:"" help:"The type's name in PascalCase: ServiceVisit."`
}

// Run scaffolds a local type.
func (c *newCmd) Run(out io.Writer) error {
	sdl, migration, err := schemagen.NewType(".", c.Name)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "made %s and %s\nnext: give the type its fields and the table the same columns, then go generate ./...\n", sdl, migration)
	return nil
}

type generateCmd struct{}

// Run generates, and prints the report in short.
func (generateCmd) Run(out io.Writer) error {
	report, err := schemagen.Generate(".")
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(out, report.Summary())
	return err
}

func main() { os.Exit(exitCode()) }

// exitCode is main with its deferred calls, which os.Exit would leave out.
func exitCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		return 1
	}
	return 0
}

// errRoot means that the working directory is not the root of the module.
var errRoot = errors.New("run schemagen from the root of the module: there is no schema/doctypes.yml here")

// run is main without the process around it.
func run(ctx context.Context, args []string, out io.Writer) error {
	var c cli
	parser, err := kong.New(&c, kong.Name("schemagen"), kong.Description("Makes the graph from the facts of DocTypes."))
	if err != nil {
		return err
	}
	cmd, err := parser.Parse(args)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join("schema", "doctypes.yml")); err != nil {
		return errRoot
	}
	cmd.BindTo(ctx, (*context.Context)(nil))
	cmd.BindTo(out, (*io.Writer)(nil))
	return cmd.Run()
}
