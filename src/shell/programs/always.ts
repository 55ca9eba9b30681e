/**
 * Programs that can be made to run others whatever they are told, after https://gtfobins.github.io: by a key that is
 * pressed, by a file that they read, by more options than could be told apart.
 */
const EDITORS =
  'vi vim vim.tiny vim.basic vimdiff rvim nvim view rview ex ed red nano pico rnano emacs jed joe jove micro mcedit helix hx kak vipw vigr visudo crontab mc mcview mousepad gedit kate zile mg ne tilde sensible-editor editor vidir vipe'
const PAGERS =
  'less zless lessecho lesspipe more most pg man info pinfo pager sensible-pager batcat bat moar mandoc lv w3mman yelp zathura ranger nnn vifm lf ncdu tig fzf vd'
const DEBUGGERS =
  'gdb gdbserver lldb strace ltrace valgrind perf bpftrace rr crash pdb gcore gdbtui cgdb ddd stap dtrace bpftool sotruss memusage mtrace ldd'
const CLIENTS =
  'ftp lftp sftp telnet mysql mariadb psql sqlite3 sqlite mongo mongosh redis-cli sqlplus mail mailx mutt s-nail w3m lynx links elinks rlogin rsh ncftp tftp smbclient openvpn nmap tcpdump psftp plink pscp dbclient rcp rexec remsh mosh autossh pssh pdsh dsh sshfs sshuttle socket minicom runscript tshark wireshark dumpcap irssi weechat alpine pine procmail formail maildrop fetchmail sendmail exim exim4 clickhouse duckdb usql cqlsh mycli pgcli litecli rtorrent aria2c certbot'
const RUNNERS =
  'parallel i386 x86_64 uname26 entr at batch systemd-run systemd-nspawn machinectl unshare nsenter chroot setpriv capsh aa-exec run-parts run-mailcap script scriptreplay screen tmux byobu tmate dtach abduco zellij flock chrt numactl cgexec start-stop-daemon daemonize daemon softlimit setlock setuidgid chpst sg newgrp login agetty choom prlimit rlwrap torify torsocks proxychains proxychains4 firejail bwrap dbus-run-session dbus-launch xvfb-run fakechroot faketime multitime hyperfine ssh-agent gosu su-exec tini dumb-init runcon newrole catchsegv ld.so cpulimit nsjail logsave pexec watchexec nodemon pm2 supervisorctl inotifywait incron keychain xterm x11vnc ifne pee sem sql zrun mispipe lckdo systemd-cat systemd-inhibit systemd-notify systemd-socket-activate systemd-mount systemd-vmspawn run0 homectl runsv runsvdir svlogd envdir envuidgid pgrphack fghack supervise svscan multilog catatonit setuser anacron ksu super gksu kdesu calife ssh-argv0 schedtool uclampset pipesz setpgid enosys proot qemu wine mpirun mpiexec srun sbatch salloc qsub bsub asciinema ttyrec autoexpect sexpect grc ccache distcc icecc sccache direnv dotenv foreman honcho overmind chamber doppler envconsul consul nomad etcdctl pidstat rename prename file-rename msgfilter debconf debconf-apt-progress dpkg-architecture dpkg-buildpackage invoke-rc.d xdg-user-dir xdg-open gtk-launch xdotool scrot dosbox lxc-execute lxc-start distrobox singularity apptainer enroot ifup ifdown wg-quick dhclient udhcpc pppd openconnect vpnc'
const PACKAGES =
  'apt-get aptitude yum dnf rpmbuild rpmquery rpmverify zypper pacman apk snap flatpak brew pipx uv poetry conda npx yarn pnpm corepack bundle bundler gem rake cargo rustup go mvn gradle ant sbt composer cpan cpanm easy_install opam cabal stack mix nix nix-shell nix-env guix opkg zef luarocks dkms pdm hatch pipenv pyenv rbenv asdf mise dotnet nuget rpmdb'
const BUILDERS =
  'make gmake bmake cmake ninja meson scons bazel ansible ansible-playbook ansible-pull puppet chef-client salt salt-call terraform tofu packer vagrant fab cap just invoke tox nox pytest ctest cpack mk tup earthly dagger skaffold tilt helmfile kustomize terragrunt pulumi chef-solo pre-commit ansible-test libtool autoreconf'
const CONTAINERS =
  'docker-compose buildah nerdctl ctr crictl runc lxc lxc-attach lxd incus virsh oc k3s minikube k9s gcloud aws az gh glab eb'
const COMPILERS =
  'gcc g++ cc c++ c89 c99 clang clang++ tcc latex pdflatex xelatex lualatex tex luatex xetex latexmk nasm ginsh pdftex dvips gs ps2pdf cobc lilypond enscript soffice libreoffice blender gtester csvtool'
const OTHERS =
  'sftp-server internal-sftp socat ncat nc netcat cryptsetup dmsetup exiftool pry facter octave dc task tasksh restic rclone rsnapshot sqlmap msfconsole varnishncsa tdbtool scanmem hping3 iftop knife posh cdist slsh openssl pkg ld gpg-agent update-alternatives service init telinit insmod modprobe kexec mount logrotate run-one at-spi openvt whiptail dialog zsoelim troff nroff groff pic eqn a2p debugfs ispell cowsay cowthink bashbug perlbug apport-cli check_by_ssh check_ssl_cert bconsole asterisk jtag dstat genie neofetch pandoc mlr svn hg cvs bzr fossil borg duplicity unison lsyncd rdist rdiff-backup git-annex git-lfs ack ag delta convert magick coredumpctl mdadm smartd dnsmasq telegraf fluentd rsyslogd'

export const ALWAYS: readonly string[] = [
  EDITORS,
  PAGERS,
  DEBUGGERS,
  CLIENTS,
  RUNNERS,
  PACKAGES,
  BUILDERS,
  CONTAINERS,
  COMPILERS,
  OTHERS,
].flatMap((names) => names.split(' '))
