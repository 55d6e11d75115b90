package collect

import (
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
)

// Type is the kind of the values in a column.
type Type uint8

const (
	Null      Type = iota // no value was ever seen
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

var typeNames = [...]string{"null", "bool", "int", "float", "string", "json", "date", "time", "local time", "clock", "duration", "decimal", "bytes", "list", "struct"}

func (t Type) String() string { return typeNames[t] }

// dtype is the resolved type of a column or of a part of it.
type dtype struct {
	kind             Type
	zone             string // Time: "UTC", or a fixed offset as "+01:00", or a zone's name
	nano             bool   // Time, LocalTime, Clock, Duration: nanoseconds, else microseconds
	precision, scale int32  // Decimal
	elem             *dtype // List
	fields           []field
}

type field struct {
	name string
	typ  dtype
}

// same reports whether two types are the same all the way down.
func (d dtype) same(e dtype) bool {
	if d.kind != e.kind || d.zone != e.zone || d.nano != e.nano || d.precision != e.precision || d.scale != e.scale || len(d.fields) != len(e.fields) {
		return false
	}
	if (d.elem == nil) != (e.elem == nil) || d.elem != nil && !d.elem.same(*e.elem) {
		return false
	}
	for i, f := range d.fields {
		if f.name != e.fields[i].name || !f.typ.same(e.fields[i].typ) {
			return false
		}
	}
	return true
}

// String describes the type for people: "list of double".
func (d dtype) String() string {
	switch d.kind {
	case List:
		return "list of " + d.elem.String()
	case Struct:
		parts := make([]string, len(d.fields))
		for i, f := range d.fields {
			parts[i] = f.name + " " + f.typ.String()
		}
		return "struct of " + strings.Join(parts, ", ")
	}
	return d.kind.String()
}

func (d dtype) unit() arrow.TimeUnit {
	if d.nano {
		return arrow.Nanosecond
	}
	return arrow.Microsecond
}

// arrow is the Arrow type that holds the values.
func (d dtype) arrow() arrow.DataType {
	switch d.kind {
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
		return &arrow.TimestampType{Unit: d.unit(), TimeZone: d.zone}
	case LocalTime:
		return &arrow.TimestampType{Unit: d.unit()}
	case Clock:
		return &arrow.Time64Type{Unit: d.unit()}
	case Duration:
		return &arrow.DurationType{Unit: d.unit()}
	case Decimal:
		return &arrow.Decimal128Type{Precision: d.precision, Scale: d.scale}
	case Bytes:
		return arrow.BinaryTypes.Binary
	case List:
		return arrow.ListOfField(arrow.Field{Name: "element", Type: d.elem.arrow(), Nullable: true})
	case Struct:
		fields := make([]arrow.Field, len(d.fields))
		for i, f := range d.fields {
			fields[i] = f.arrow()
		}
		return arrow.StructOf(fields...)
	}
	return arrow.BinaryTypes.String
}

// arrow is the field, with a mark where its text is JSON.
func (f field) arrow() arrow.Field {
	a := arrow.Field{Name: f.name, Type: f.typ.arrow(), Nullable: true}
	if f.typ.kind == JSON {
		a.Metadata = arrow.NewMetadata([]string{metaEncoding}, []string{"json"})
	}
	return a
}

// metaEncoding is the key of the field metadata that marks text that is JSON.
const metaEncoding = "encoding"

// dtypeOf reads back what dtype.arrow wrote.
func dtypeOf(t arrow.DataType, meta arrow.Metadata) dtype {
	switch t := t.(type) {
	case *arrow.BooleanType:
		return dtype{kind: Bool}
	case *arrow.Int64Type:
		return dtype{kind: Int}
	case *arrow.Float64Type:
		return dtype{kind: Float}
	case *arrow.Date32Type:
		return dtype{kind: Date}
	case *arrow.TimestampType:
		if t.TimeZone == "" {
			return dtype{kind: LocalTime, nano: t.Unit == arrow.Nanosecond}
		}
		return dtype{kind: Time, zone: t.TimeZone, nano: t.Unit == arrow.Nanosecond}
	case *arrow.Time64Type:
		return dtype{kind: Clock, nano: t.Unit == arrow.Nanosecond}
	case *arrow.DurationType:
		return dtype{kind: Duration, nano: t.Unit == arrow.Nanosecond}
	case *arrow.Decimal128Type:
		return dtype{kind: Decimal, precision: t.Precision, scale: t.Scale}
	case *arrow.BinaryType:
		return dtype{kind: Bytes}
	case *arrow.ListType:
		elem := dtypeOf(t.Elem(), t.ElemField().Metadata)
		return dtype{kind: List, elem: &elem}
	case *arrow.StructType:
		d := dtype{kind: Struct}
		for _, f := range t.Fields() {
			d.fields = append(d.fields, field{f.Name, dtypeOf(f.Type, f.Metadata)})
		}
		return d
	case *arrow.StringType:
		if v, ok := meta.GetValue(metaEncoding); ok && v == "json" {
			return dtype{kind: JSON}
		}
		return dtype{kind: String}
	}
	return dtype{kind: Null}
}
