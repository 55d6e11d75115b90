package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A bill of materials as SPDX 2.3 has it: the parts that fanout needs of the format.
// It is written from what the linker recorded in the binary, so it lists what is in
// there, and not what go.mod might bring.
type document struct {
	SPDXVersion       string         `json:"spdxVersion"`
	DataLicense       string         `json:"dataLicense"`
	SPDXID            string         `json:"SPDXID"`
	Name              string         `json:"name"`
	DocumentNamespace string         `json:"documentNamespace"`
	CreationInfo      creation       `json:"creationInfo"`
	Packages          []part         `json:"packages"`
	Relationships     []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type part struct {
	SPDXID           string      `json:"SPDXID"`
	Name             string      `json:"name"`
	VersionInfo      string      `json:"versionInfo"`
	DownloadLocation string      `json:"downloadLocation"`
	FilesAnalyzed    bool        `json:"filesAnalyzed"`
	SourceInfo       string      `json:"sourceInfo,omitempty"`
	LicenseConcluded string      `json:"licenseConcluded"`
	LicenseDeclared  string      `json:"licenseDeclared"`
	CopyrightText    string      `json:"copyrightText"`
	Checksums        []checksum  `json:"checksums,omitempty"`
	ExternalRefs     []reference `json:"externalRefs,omitempty"`
	Purpose          string      `json:"primaryPackagePurpose"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type reference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

const unknown = "NOASSERTION"

// bill writes the bill of materials of a binary.
func (d *dist) bill(b *binary) error {
	name := fmt.Sprintf("fanout_%s_%s", d.version, b.target)
	sum := fmt.Sprintf("%x", sha256.Sum256(b.content))
	const document0, fanout = "SPDXRef-DOCUMENT", "SPDXRef-fanout"
	doc := document{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", SPDXID: document0, Name: name,
		// A name that no other document has, and that the next building has again.
		DocumentNamespace: "https://spdx.org/spdxdocs/" + name + "-" + sum,
		CreationInfo:      creation{d.time.Format(time.RFC3339), []string{"Tool: fanout-packaging"}},
		Packages: []part{{
			SPDXID: fanout, Name: "fanout", VersionInfo: d.version, DownloadLocation: unknown,
			SourceInfo:       "built from commit " + d.commit + " with " + b.info.GoVersion + " for " + b.os + "/" + b.arch,
			LicenseConcluded: unknown, LicenseDeclared: unknown, CopyrightText: unknown,
			Checksums: []checksum{{"SHA256", sum}}, Purpose: "APPLICATION",
		}},
		Relationships: []relationship{{document0, "DESCRIBES", fanout}},
	}
	for _, l := range b.licences {
		p := partOf(l)
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, relationship{fanout, "CONTAINS", p.SPDXID})
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	return d.write(name+".spdx.json", append(text, '\n'))
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func partOf(l licence) part {
	p := part{
		SPDXID: "SPDXRef-" + l.kind + "-" + notInID.ReplaceAllString(l.name, "-"),
		Name:   l.name, VersionInfo: l.version, DownloadLocation: unknown, CopyrightText: unknown, Purpose: "LIBRARY",
		LicenseConcluded: strings.Join(l.ids, " AND "), LicenseDeclared: strings.Join(l.ids, " AND "),
		ExternalRefs: []reference{{"PACKAGE-MANAGER", "purl", "pkg:" + l.kind + "/" + strings.ReplaceAll(l.name, "@", "%40") + "@" + l.version}},
	}
	if l.sum != "" {
		p.SourceInfo = "go.sum: " + l.sum
	}
	return p
}
