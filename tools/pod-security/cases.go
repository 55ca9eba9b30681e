// Prints pods with the controls of the Pod Security Standards that forbid them, by the admission of the API server itself, one
// per line, for tests: the admission's own cases of the latest version, then pods that are made by chance, always alike.
//
//	go -C tools/kubernetes run -mod=readonly ../pod-security/cases.go
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	defaults "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

const (
	latest = "v1.37"
	random = 600
)

type testCase struct {
	Pod        *core.Pod `json:"pod"`
	Baseline   []string  `json:"baseline"`
	Restricted []string  `json:"restricted"`
}

func main() {
	for _, pod := range append(ownCases(), randomPods()...) {
		written, err := json.Marshal(judge(pod))
		check(err)
		fmt.Println(string(written))
	}
}

func ownCases() (pods []*core.Pod) {
	module, err := exec.Command("go", "list", "-m", "-mod=readonly", "-f", "{{.Dir}}", "k8s.io/pod-security-admission").Output()
	check(err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(module)), "test/testdata/*", latest, "*/*.yaml"))
	check(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(err)
		pod := &core.Pod{}
		check(yaml.Unmarshal(text, pod))
		pods = append(pods, pod)
	}
	return
}

// The API server judges a pod with its defaults filled in.
func judge(pod *core.Pod) testCase {
	judged := pod.DeepCopy()
	defaults.SetObjectDefaults_Pod(judged)
	forbidding, overridden := map[api.Level][]string{}, map[policy.CheckID]bool{}
	for _, control := range policy.DefaultChecks() {
		current := control.Versions[len(control.Versions)-1]
		if !current.CheckPod(&judged.ObjectMeta, &judged.Spec).Allowed {
			forbidding[control.Level] = append(forbidding[control.Level], string(control.ID))
		}
		for _, id := range current.OverrideCheckIDs {
			overridden[id] = true
		}
	}
	restricted := append([]string{}, forbidding[api.LevelRestricted]...)
	for _, id := range forbidding[api.LevelBaseline] {
		if !overridden[policy.CheckID(id)] {
			restricted = append(restricted, id)
		}
	}
	baseline := append([]string{}, forbidding[api.LevelBaseline]...)
	slices.Sort(baseline)
	slices.Sort(restricted)
	return testCase{pod, baseline, restricted}
}

func randomPods() (pods []*core.Pod) {
	source := rand.New(rand.NewSource(1))
	for range random {
		pods = append(pods, randomPod(source))
	}
	return
}

// Rarely, so that most pods break few controls.
func rare(source *rand.Rand) bool { return source.Intn(8) == 0 }

func maybe[T any](source *rand.Rand, values ...T) *T {
	if !rare(source) {
		return nil
	}
	return &values[source.Intn(len(values))]
}

func randomPod(source *rand.Rand) *core.Pod {
	pod := &core.Pod{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta.ObjectMeta{Name: "p"}}
	spec := &pod.Spec
	spec.HostNetwork, spec.HostPID, spec.HostIPC = rare(source), rare(source), rare(source)
	spec.HostUsers = maybe(source, true, false)
	if rare(source) {
		spec.OS = &core.PodOS{Name: []core.OSName{core.Windows, core.Linux}[source.Intn(2)]}
	}
	if rare(source) {
		profile := []string{"", "runtime/default", "localhost/x", "unconfined"}[source.Intn(4)]
		pod.Annotations = map[string]string{"container.apparmor.security.beta.kubernetes.io/c": profile}
	}
	confined := source.Intn(2) == 0
	if confined || rare(source) {
		spec.SecurityContext = randomPodContext(source, confined)
	}
	for _, volume := range []core.Volume{
		{Name: "none"},
		{Name: "host", VolumeSource: core.VolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/"}}},
		{Name: "nfs", VolumeSource: core.VolumeSource{NFS: &core.NFSVolumeSource{Server: "s", Path: "/"}}},
		{Name: "secret", VolumeSource: core.VolumeSource{Secret: &core.SecretVolumeSource{SecretName: "s"}}},
	} {
		if rare(source) {
			spec.Volumes = append(spec.Volumes, volume)
		}
	}
	spec.Containers = []core.Container{randomContainer(source, "c", confined)}
	if rare(source) {
		spec.InitContainers = []core.Container{randomContainer(source, "i", confined)}
	}
	if rare(source) {
		spec.EphemeralContainers = []core.EphemeralContainer{{EphemeralContainerCommon: core.EphemeralContainerCommon(randomContainer(source, "e", confined))}}
	}
	return pod
}

func randomPodContext(source *rand.Rand, confined bool) *core.PodSecurityContext {
	context := &core.PodSecurityContext{RunAsNonRoot: maybe(source, true, false), RunAsUser: maybe(source, int64(0), int64(7))}
	if confined {
		yes := true
		context.RunAsNonRoot = &yes
		context.SeccompProfile = &core.SeccompProfile{Type: core.SeccompProfileTypeRuntimeDefault}
	}
	if rare(source) {
		context.SeccompProfile = randomSeccomp(source)
	}
	context.AppArmorProfile = randomAppArmor(source)
	context.SELinuxOptions = randomLabel(source)
	context.WindowsOptions = randomWindows(source)
	if rare(source) {
		name := []string{"kernel.shm_rmid_forced", "net.ipv4.tcp_rmem", "kernel.msgmax"}[source.Intn(3)]
		context.Sysctls = []core.Sysctl{{Name: name, Value: "1"}}
	}
	return context
}

func randomContainer(source *rand.Rand, name string, confined bool) core.Container {
	container := core.Container{Name: name, Image: "i"}
	if confined {
		no := false
		container.SecurityContext = &core.SecurityContext{
			AllowPrivilegeEscalation: &no,
			Capabilities:             &core.Capabilities{Drop: []core.Capability{"ALL"}},
		}
	}
	if rare(source) {
		container.SecurityContext = &core.SecurityContext{
			Privileged:               maybe(source, true, false),
			AllowPrivilegeEscalation: maybe(source, true, false),
			RunAsNonRoot:             maybe(source, true, false),
			RunAsUser:                maybe(source, int64(0), int64(7)),
			ProcMount:                maybe(source, core.DefaultProcMount, core.UnmaskedProcMount),
			AppArmorProfile:          randomAppArmor(source),
			SELinuxOptions:           randomLabel(source),
			WindowsOptions:           randomWindows(source),
			SeccompProfile:           randomSeccomp(source),
		}
		if rare(source) {
			container.SecurityContext.Capabilities = &core.Capabilities{
				Add:  []core.Capability{"NET_BIND_SERVICE", "CHOWN", "SYS_ADMIN"}[source.Intn(3):],
				Drop: []core.Capability{"KILL", "ALL"}[source.Intn(2):],
			}
		}
	}
	if rare(source) {
		container.Ports = []core.ContainerPort{{ContainerPort: 80, HostPort: int32(source.Intn(2) * 8080)}}
	}
	host := []string{"", "example.org"}[source.Intn(2)]
	if rare(source) {
		http := core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Host: host, Port: intstr.FromInt32(80)}}
		container.LivenessProbe = &core.Probe{ProbeHandler: http}
	}
	if rare(source) {
		tcp := &core.LifecycleHandler{TCPSocket: &core.TCPSocketAction{Host: host, Port: intstr.FromInt32(80)}}
		container.Lifecycle = &core.Lifecycle{PreStop: tcp}
	}
	return container
}

func randomSeccomp(source *rand.Rand) *core.SeccompProfile {
	if !rare(source) {
		return nil
	}
	return &core.SeccompProfile{Type: []core.SeccompProfileType{"RuntimeDefault", "Localhost", "Unconfined", ""}[source.Intn(4)]}
}

func randomAppArmor(source *rand.Rand) *core.AppArmorProfile {
	if !rare(source) {
		return nil
	}
	return &core.AppArmorProfile{Type: []core.AppArmorProfileType{"RuntimeDefault", "Localhost", "Unconfined", ""}[source.Intn(4)]}
}

func randomLabel(source *rand.Rand) *core.SELinuxOptions {
	if !rare(source) {
		return nil
	}
	return &[]core.SELinuxOptions{{}, {Type: "container_engine_t"}, {Type: "spc_t"}, {User: "u"}, {Role: "r"}, {Level: "s0"}}[source.Intn(6)]
}

func randomWindows(source *rand.Rand) *core.WindowsSecurityContextOptions {
	if !rare(source) {
		return nil
	}
	return &core.WindowsSecurityContextOptions{HostProcess: maybe(source, true, false)}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
