package figure

import (
	"bytes"
	"fmt"
	"html/template"
)

// Page is a page of charts with the numbers below each. It needs nothing from anywhere else.
type Page struct {
	Title  string
	Notes  []string // paragraphs below the title
	Charts []Chart
}

// HTML is the page.
func (p *Page) HTML() ([]byte, error) {
	type section struct {
		Chart
		Picture template.HTML
	}
	data := struct {
		*Page
		Sections []section
	}{Page: p}
	for _, c := range p.Charts {
		svg, err := c.SVG()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Title, err)
		}
		if at := bytes.Index(svg, []byte("<svg")); at > 0 {
			svg = svg[at:] // the head of a file of its own has no place in a page
		}
		data.Sections = append(data.Sections, section{c, template.HTML(svg)}) // made here, with text that the package escapes
	}
	var b bytes.Buffer
	err := page.Execute(&b, data)
	return b.Bytes(), err
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"number": func(f float64) string { return fmt.Sprintf("%.4g", f) },
}).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 46em; margin: 2em auto; color: #222 }
table { border-collapse: collapse; margin: 1em 0 3em } td, th { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left } .paper { color: #777 }
</style></head><body>
<h1>{{.Title}}</h1>
{{range .Notes}}<p>{{.}}</p>
{{end}}{{range .Sections}}<h2>{{.Title}}</h2>
{{.Picture}}
<table><tr><th>{{.Y}}</th><th>{{.X}}: value</th></tr>
{{range .Lines}}<tr{{if .Paper}} class="paper"{{end}}><td>{{.Name}}</td><td>{{range .Points}}{{number .X}}: <b>{{number .Y}}</b>&ensp;{{end}}</td></tr>
{{end}}</table>
{{end}}</body></html>
`))
