package cell

import (
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
)

// Kind is the kind of the values in a column.
type Kind uint8

// The kinds of values.
const (
	Null      Kind = iota // no value was ever seen
	Bool                  //
	Int                   // 64 bits, signed
	Float                 // double
	String                //
	JSON                  // text that holds the JSON form of values that share no type
	Date                  // a calendar day
	Time                  // an instant, shown in the column's zone
	LocalTime             // a date and time without a zone
	Clock                 // a time of day
	Duration              //
	Decimal               // an exact decimal number
	Bytes                 //
	List                  //
	Struct                //
)

var kindNames = [...]string{"null", "bool", "int", "float", "string", "json", "date", "time", "local time", "clock", "duration", "decimal", "bytes", "list", "struct"}

func (t Kind) String() string { return kindNames[t] }

// Type is the resolved type of a column or of a part of it.
type Type struct {
	Kind             Kind
	Zone             string // Time: "UTC", or a fixed offset as "+01:00", or a zone's name
	Nano             bool   // Time, LocalTime, Clock, Duration: nanoseconds, else microseconds
	Precision, Scale int32  // Decimal
	Elem             *Type  // List
	Fields           []Field
}

// Field is a column, or a part of one, with its type.
type Field struct {
	Name string
	Type Type
}

// String describes the type for people: "list of double".
func (d Type) String() string {
	switch d.Kind {
	case List:
		return "list of " + d.Elem.String()
	case Struct:
		parts := make([]string, len(d.Fields))
		for i, f := range d.Fields {
			parts[i] = f.Name + " " + f.Type.String()
		}
		return "struct of " + strings.Join(parts, ", ")
	}
	return d.Kind.String()
}

func (d Type) unit() arrow.TimeUnit {
	if d.Nano {
		return arrow.Nanosecond
	}
	return arrow.Microsecond
}

// Arrow is the Arrow type that holds the values.
func (d Type) Arrow() arrow.DataType {
	switch d.Kind {
	case Null:
		return arrow.Null
	case Bool:
		return arrow.FixedWidthTypes.Boolean
	case Int:
		return arrow.PrimitiveTypes.Int64
	case Float:
		return arrow.PrimitiveTypes.Float64
	case Date:
		return arrow.FixedWidthTypes.Date32
	case Time:
		return &arrow.TimestampType{Unit: d.unit(), TimeZone: d.Zone}
	case LocalTime:
		return &arrow.TimestampType{Unit: d.unit()}
	case Clock:
		return &arrow.Time64Type{Unit: d.unit()}
	case Duration:
		return &arrow.DurationType{Unit: d.unit()}
	case Decimal:
		return &arrow.Decimal128Type{Precision: d.Precision, Scale: d.Scale}
	case Bytes:
		return arrow.BinaryTypes.Binary
	case List:
		return arrow.ListOfField(arrow.Field{Name: "element", Type: d.Elem.Arrow(), Nullable: true})
	case Struct:
		fields := make([]arrow.Field, len(d.Fields))
		for i, f := range d.Fields {
			fields[i] = f.arrow()
		}
		return arrow.StructOf(fields...)
	}
	return arrow.BinaryTypes.String
}

// Arrow is the field, with a mark where its text is JSON.
func (f Field) arrow() arrow.Field {
	a := arrow.Field{Name: f.Name, Type: f.Type.Arrow(), Nullable: true}
	if f.Type.Kind == JSON {
		a.Metadata = arrow.NewMetadata([]string{MetaEncoding}, []string{"json"})
	}
	return a
}

// BatchRows is how many rows at most lie side by side in memory.
const BatchRows = 16 << 10

// MetaEncoding is the key of the field metadata that marks text that is JSON.
const MetaEncoding = "encoding"

// TypeOf reads back what Type.Arrow and Field.Arrow wrote.
func TypeOf(t arrow.DataType, meta arrow.Metadata) Type {
	switch t := t.(type) {
	case *arrow.BooleanType:
		return Type{Kind: Bool}
	case *arrow.Int64Type:
		return Type{Kind: Int}
	case *arrow.Float64Type:
		return Type{Kind: Float}
	case *arrow.Date32Type:
		return Type{Kind: Date}
	case *arrow.TimestampType:
		if t.TimeZone == "" {
			return Type{Kind: LocalTime, Nano: t.Unit == arrow.Nanosecond}
		}
		return Type{Kind: Time, Zone: t.TimeZone, Nano: t.Unit == arrow.Nanosecond}
	case *arrow.Time64Type:
		return Type{Kind: Clock, Nano: t.Unit == arrow.Nanosecond}
	case *arrow.DurationType:
		return Type{Kind: Duration, Nano: t.Unit == arrow.Nanosecond}
	case *arrow.Decimal128Type:
		return Type{Kind: Decimal, Precision: t.Precision, Scale: t.Scale}
	case *arrow.BinaryType:
		return Type{Kind: Bytes}
	case *arrow.ListType:
		elem := TypeOf(t.Elem(), t.ElemField().Metadata)
		return Type{Kind: List, Elem: &elem}
	case *arrow.StructType:
		d := Type{Kind: Struct}
		for _, f := range t.Fields() {
			d.Fields = append(d.Fields, Field{f.Name, TypeOf(f.Type, f.Metadata)})
		}
		return d
	case *arrow.StringType:
		if v, ok := meta.GetValue(MetaEncoding); ok && v == "json" {
			return Type{Kind: JSON}
		}
		return Type{Kind: String}
	}
	return Type{Kind: Null}
}
