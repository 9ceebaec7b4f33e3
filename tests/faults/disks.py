"""File systems for data directories: small ones, loop devices. All of them go when the row ends.

Owns mounting and unmounting below the run's directory.
"""

from .slots import command


def tmpfs(directory, size, inodes=None):
    """Mounts memory of `size`, as "64m", on a new `directory`."""
    directory.mkdir(parents=True)
    options = f"size={size}" + (f",nr_inodes={inodes}" if inodes else "")
    command("mount", "-t", "tmpfs", "-o", options, "eureka-raft-faults", directory)
    return directory


def loop_ext4(directory, mebibytes):
    """Mounts a new ext4 of that size on a new `directory`. Returns the loop device."""
    directory.mkdir(parents=True)
    image = directory.with_name(f"{directory.name}.img")
    command("truncate", "-s", f"{mebibytes}M", image)
    command("mkfs.ext4", "-q", "-F", image)
    device = command("losetup", "--find", "--show", image).strip()
    command("mount", device, directory)
    return device


def unmount(directory, device=None):
    """Thaws and unmounts; whoever still holds a file keeps the file system until it ends."""
    command("fsfreeze", "--unfreeze", directory, check=False)
    command("umount", "--lazy", directory, check=False)
    if device:
        command("losetup", "--detach", device, check=False)
