// Prints bodies of every kind as protobuf with the JSON that the API server makes of them, one per line, for tests: an empty
// one, and some that are filled by chance, always alike.
//
//	go -C tools/kubernetes run -mod=readonly ../protobuf/samples.go ../protobuf/kinds.go
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand"
	"os"
	"reflect"
	"sort"
	"time"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const filled = 3

// Deeper than any kind but the schemas of custom resources, which hold themselves.
const depth = 14

type sample struct {
	Protobuf string          `json:"protobuf"`
	JSON     json.RawMessage `json:"json"`
}

func main() {
	known := knownTypes()
	codec := protobuf.NewSerializer(known, known)
	kinds := bodies(known)
	ordered := make([]schema.GroupVersionKind, 0, len(kinds))
	for kind := range kinds {
		ordered = append(ordered, kind)
	}
	sort.Slice(ordered, func(i, j int) bool { return ordered[i].String() < ordered[j].String() })
	source := rand.New(rand.NewSource(1))
	seen := map[reflect.Type]bool{}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, kind := range ordered {
		// DeleteOptions are the same in every group.
		if seen[kinds[kind]] {
			continue
		}
		seen[kinds[kind]] = true
		for i := range filled + 1 {
			value := reflect.New(kinds[kind])
			if i > 0 {
				fill(source, value.Elem(), 0)
			}
			object := value.Interface().(runtime.Object)
			object.GetObjectKind().SetGroupVersionKind(kind)
			if err := out.Encode(encode(codec, object)); err != nil {
				fail("%v", err)
			}
		}
	}
}

func encode(codec runtime.Serializer, object runtime.Object) sample {
	var encoded bytes.Buffer
	if err := codec.Encode(object, &encoded); err != nil {
		fail("%v", err)
	}
	// What the API server reads of it, which is less than what was written where protobuf has no room for it.
	decoded, kind, err := codec.Decode(encoded.Bytes(), nil, nil)
	if err != nil {
		fail("%v", err)
	}
	decoded.GetObjectKind().SetGroupVersionKind(*kind)
	text, err := json.Marshal(decoded)
	if err != nil {
		fail("%v: %v", kind, err)
	}
	return sample{base64.StdEncoding.EncodeToString(encoded.Bytes()), text}
}

// A third of all fields stay as they are.
func fill(source *rand.Rand, value reflect.Value, level int) {
	if level > depth || source.Intn(3) == 0 && level > 2 || !value.CanSet() {
		return
	}
	if special(source, value) {
		return
	}
	switch value.Kind() {
	case reflect.String:
		value.SetString([]string{"", "a", "zwei", "with \"quotes\"", "日本", "2"}[source.Intn(6)])
	case reflect.Bool:
		value.SetBool(source.Intn(2) == 0)
	case reflect.Int32:
		value.SetInt([]int64{0, 1, -1, 8080, 1<<31 - 1, -1 << 31}[source.Intn(6)])
	case reflect.Int64:
		value.SetInt([]int64{0, 1, -1, 8080, 1<<53 - 1, -1<<53 + 1}[source.Intn(6)])
	case reflect.Float64:
		value.SetFloat([]float64{0, 1, -1.5, 1e21}[source.Intn(4)])
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fill(source, value.Elem(), level+1)
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Type().Field(i).Type != reflect.TypeOf(meta.TypeMeta{}) {
				fill(source, value.Field(i), level+1)
			}
		}
	case reflect.Slice:
		fillSlice(source, value, level)
	case reflect.Map:
		value.Set(reflect.MakeMap(value.Type()))
		for _, name := range []string{"one", "two/three"}[:source.Intn(3)] {
			key, element := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
			key.SetString(name)
			fill(source, element, level+1)
			value.SetMapIndex(key, element)
		}
	}
}

func fillSlice(source *rand.Rand, value reflect.Value, level int) {
	if value.Type().Elem().Kind() == reflect.Uint8 {
		value.SetBytes([]byte{0, 1, 254, 255}[:source.Intn(5)])
		return
	}
	value.Set(reflect.MakeSlice(value.Type(), source.Intn(3), 2))
	for i := range value.Len() {
		fill(source, value.Index(i), level+1)
	}
}

// Values that any others would not be valid for.
func special(source *rand.Rand, value reflect.Value) bool {
	raw := []byte([]string{`{}`, `{"a":[1,"b",null]}`, `"text"`, `1.5`}[source.Intn(4)])
	schema := func() *apiextensions.JSONSchemaProps {
		return &apiextensions.JSONSchemaProps{Type: "string", Default: &apiextensions.JSON{Raw: raw}}
	}
	switch to := value.Addr().Interface().(type) {
	case *meta.Time:
		*to = meta.NewTime([]time.Time{{}, time.Unix(0, 0), time.Unix(1700000000, 5)}[source.Intn(3)].UTC())
	case *meta.MicroTime:
		*to = meta.NewMicroTime([]time.Time{{}, time.Unix(0, 0), time.Unix(1700000000, 1234567)}[source.Intn(3)].UTC())
	case *meta.Duration:
		to.Duration = []time.Duration{0, 1, 1500, 2500000, time.Second, -90 * time.Minute, 26*time.Hour + 5*time.Second + 1}[source.Intn(7)]
	case *meta.FieldsV1:
		to.SetRawBytes(raw)
	case *resource.Quantity:
		*to = resource.MustParse([]string{"0", "1", "100m", "2Gi", "-5", "1e3"}[source.Intn(6)])
	case *intstr.IntOrString:
		*to = []intstr.IntOrString{intstr.FromInt32(80), intstr.FromString("http"), intstr.FromString(""), {}}[source.Intn(4)]
	case *runtime.RawExtension:
		to.Raw = raw
	case *apiextensions.JSON:
		to.Raw = raw
	case *apiextensions.JSONSchemaPropsOrBool:
		*to = []apiextensions.JSONSchemaPropsOrBool{{}, {Allows: true}, {Allows: true, Schema: schema()}}[source.Intn(3)]
	case *apiextensions.JSONSchemaPropsOrArray:
		*to = []apiextensions.JSONSchemaPropsOrArray{{}, {Schema: schema()}, {JSONSchemas: []apiextensions.JSONSchemaProps{*schema()}}}[source.Intn(3)]
	case *apiextensions.JSONSchemaPropsOrStringArray:
		*to = []apiextensions.JSONSchemaPropsOrStringArray{{}, {Schema: schema()}, {Property: []string{"a", "b"}}}[source.Intn(3)]
	default:
		return false
	}
	return true
}
