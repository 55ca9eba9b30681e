// Prints what there is to know to read the API server's protobuf bodies as its JSON: which message a kind is, and of each
// message its fields by number, with the name, the type and the rule of omission that its JSON has. It comes from the very Go
// types that the API server is made of, since generated.proto knows neither JSON names nor which fields are inlined.
//
//	go -C tools/kubernetes run -mod=readonly ../protobuf/descriptors.go ../protobuf/kinds.go
//
// A field is "NUMBER JSON TYPE OMISSION"; JSON is "." for what is inlined. Whatever this program does not understand ends it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Types whose JSON is not that of a struct, by the name that their readers go by.
var special = map[reflect.Type]string{
	reflect.TypeOf(meta.Time{}):                                  "@time",
	reflect.TypeOf(meta.MicroTime{}):                             "@microtime",
	reflect.TypeOf(meta.Duration{}):                              "@duration",
	reflect.TypeOf(meta.FieldsV1{}):                              "@raw",
	reflect.TypeOf(resource.Quantity{}):                          "@quantity",
	reflect.TypeOf(intstr.IntOrString{}):                         "@int-or-string",
	reflect.TypeOf(runtime.RawExtension{}):                       "@raw",
	reflect.TypeOf(apiextensions.JSON{}):                         "@raw",
	reflect.TypeOf(apiextensions.JSONSchemaPropsOrBool{}):        "@schema-or-bool",
	reflect.TypeOf(apiextensions.JSONSchemaPropsOrArray{}):       "@schema-or-array",
	reflect.TypeOf(apiextensions.JSONSchemaPropsOrStringArray{}): "@schema-or-strings",
}

// Of a tag only the number is to be trusted: many announce another wire type than the one that is written.
var scalars = map[reflect.Kind]string{
	reflect.String:  "string",
	reflect.Bool:    "bool",
	reflect.Int32:   "int32",
	reflect.Int64:   "int64",
	reflect.Float64: "double",
}

type catalogue struct {
	Kinds    map[string]string   `json:"kinds"`
	Messages map[string][]string `json:"messages"`
	types    map[string]reflect.Type
}

func main() {
	found := catalogue{map[string]string{}, map[string][]string{}, map[string]reflect.Type{}}
	for kind, of := range bodies(knownTypes()) {
		found.Kinds[kind.GroupVersion().String()+"/"+kind.Kind] = found.message(of)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(found); err != nil {
		fail("%v", err)
	}
}

func (c *catalogue) message(of reflect.Type) string {
	path := strings.Split(of.PkgPath(), "/")
	name := strings.Join(path[max(0, len(path)-2):], ".") + "." + of.Name()
	if before, ok := c.types[name]; ok {
		if before != of {
			fail("two types are %s", name)
		}
		return name
	}
	if _, custom := reflect.New(of).Interface().(json.Marshaler); custom {
		fail("%v has a JSON of its own", of)
	}
	c.types[name] = of
	fields := []string{}
	seen := map[string]bool{}
	for i := range of.NumField() {
		if field, ok := c.field(of, of.Field(i)); ok {
			if number := strings.SplitN(field, " ", 2)[0]; seen[number] {
				fail("%v has field %s twice", of, number)
			} else {
				seen[number] = true
			}
			fields = append(fields, field)
		}
	}
	sort.SliceStable(fields, func(i, j int) bool { return number(fields[i]) < number(fields[j]) })
	c.Messages[name] = fields
	return name
}

func (c *catalogue) field(of reflect.Type, field reflect.StructField) (string, bool) {
	tag := strings.Split(field.Tag.Get("protobuf"), ",")
	words := strings.Split(field.Tag.Get("json"), ",")
	if len(tag) < 3 {
		if field.Type != reflect.TypeOf(meta.TypeMeta{}) && words[0] != "-" {
			fail("%v.%s has no number", of, field.Name)
		}
		return "", false
	}
	name := words[0]
	switch {
	case name == "-":
		fail("%v.%s has no JSON", of, field.Name)
	case name == "" && field.Anonymous:
		name = "."
	case name == "":
		name = field.Name
	}
	omission := "always"
	for _, word := range words[1:] {
		switch word {
		case "omitempty":
			if omission == "always" {
				omission = "empty"
			}
		case "omitzero":
			omission = "zero"
		case "inline":
			if name != "." {
				fail("%v.%s says that it is inlined, and is not", of, field.Name)
			}
		default:
			fail("%v.%s: %s is not understood", of, field.Name, word)
		}
	}
	kind := c.typeOf(field.Type)
	if omission == "zero" && kind != "@time" && kind[0] != '*' {
		fail("%v.%s: what is the zero of %s?", of, field.Name, kind)
	}
	return fmt.Sprintf("%s %s %s %s", tag[1], name, kind, omission), true
}

func (c *catalogue) typeOf(of reflect.Type) string {
	if name, ok := special[of]; ok {
		return name
	}
	if scalar, ok := scalars[of.Kind()]; ok {
		if _, custom := reflect.New(of).Interface().(json.Marshaler); custom {
			fail("%v has a JSON of its own", of)
		}
		return scalar
	}
	switch of.Kind() {
	case reflect.Pointer:
		return "*" + c.typeOf(of.Elem())
	case reflect.Struct:
		return c.message(of)
	case reflect.Map:
		return "{" + c.typeOf(of.Key()) + "}" + c.typeOf(of.Elem())
	case reflect.Slice:
		if of.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		if _, wrapped := reflect.New(of).Interface().(unmarshaler); wrapped {
			return "@items" + "[]" + c.typeOf(of.Elem())
		}
		return "[]" + c.typeOf(of.Elem())
	}
	fail("%v is not understood", of)
	return ""
}

func number(field string) (parsed int) {
	fmt.Sscanf(field, "%d", &parsed)
	return
}
