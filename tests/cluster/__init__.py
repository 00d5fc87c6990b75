"""A real one-node Kubernetes on a bare Debian machine, and our product on it.

`python -m tests.cluster up` is the whole interface for people; `make up` calls
it. The end-to-end tier runs on the cluster, the integration tier starts only
the control plane of it (`controlplane.py`). Everything is check-then-act, so
`up` repairs a half-made cluster and leaves a complete one alone.

    versions.py      every pinned version, address and port, in one place
    paths.py         where things are: the cache, and the one state directory
    steps.py         named steps: progress, logs, failures with advice
    process.py       daemons known by process id, start time and boot
    packages.py      what apt brings; etcd
    binaries.py      what Go builds, cached by version
    certs.py         certificates and kubeconfigs
    controlplane.py  etcd and the Kubernetes control plane
    node.py          containerd, kubelet, kube-proxy, network of the node
    scratch.py       images of single static binaries, without a builder
    clusterdns.py    CoreDNS in the cluster
    images.py        our images and their base images
    imagestore.py    what containerd has of images, kept between clusters
    product.py       manifests/, and waiting until Home Assistant is there
    teardown.py      stop and down
"""
