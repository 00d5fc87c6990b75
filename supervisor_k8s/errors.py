"""Domain errors: what went wrong, in words for the client, and what kind of answer follows.

Raising does not log; the edge logs once. `api/envelope.py` turns the kind into a status code. `error_key` and
`extra_fields` are Home Assistant's contract: clients translate the key and fill the fields into their own text.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

UNKNOWN = "Unknown error, see Supervisor logs"
"""Said of an error that has no words of its own for clients."""


class SupervisorError(Exception):
    """Base of everything we raise on purpose. Answered with 400 unless a subclass says otherwise.

    `message` is a template filled from the keyword arguments, which are also the `extra_fields` of the answer when
    there is an `error_key`.
    """

    message: ClassVar[str] = "{text}"
    error_key: ClassVar[str | None] = None

    def __init__(self, text: str | None = None, /, **fields: Any) -> None:
        self.fields: Mapping[str, Any] = fields
        super().__init__(text if text is not None else self.message.format(**fields))

    @property
    def extra_fields(self) -> Mapping[str, Any]:
        return self.fields if self.error_key else {}


class RefusedError(SupervisorError):
    """The request cannot be done as asked; nothing was changed. 400."""


class UnauthorizedError(SupervisorError):
    """Credentials are missing or malformed. 401."""


class ForbiddenError(SupervisorError):
    """The caller is known and may not do this. 403."""


class NotFoundError(SupervisorError):
    """The thing named in the request does not exist. 404."""


class ConflictError(SupervisorError):
    """It exists already. 409."""


class GoneError(SupervisorError):
    """It existed in older versions. 410."""


class UnknownError(SupervisorError):
    """Something of ours or of a peer is broken; the log has the details. 500."""


class NotReadyError(SupervisorError):
    """Cannot be answered now, can be later. 503."""


# --- add-ons -----------------------------------------------------------------------------------------------------


class AddonNotFoundError(NotFoundError):
    """Nobody knows the slug. Without a key, as upstream: of `app_not_found_error` clients make a *bad request*, and
    Core's managers of add-ons look for *not found*.
    """

    message = "App {slug} does not exist"


class AddonNotInstalledError(RefusedError):
    """Known to the store, not installed. Upstream's text carries no name and no key on the `/addons` paths."""

    message = "App is not installed"


class StoreAddonNotFoundError(NotFoundError):
    message = "App {app} does not exist in the store"
    error_key = "store_app_not_found_error"


class AddonAlreadyInstalledError(RefusedError):
    message = "App {slug} is already installed"
    error_key = "app_already_installed_error"


class AddonOptionsInvalidError(RefusedError):
    message = "App {app} has invalid options: {validation_error}"
    error_key = "app_configuration_invalid_error"


class AddonNotRunningError(RefusedError):
    message = "App {app} is not running"
    error_key = "app_not_running_error"


class AddonStdinError(RefusedError):
    message = "App {app} does not support writing to stdin"
    error_key = "app_not_supported_write_stdin_error"


class AddonBootConfigError(RefusedError):
    message = "App {app} boot option is set to {boot_config} so it cannot be changed"
    error_key = "app_boot_config_cannot_change_error"


class AddonArchitectureError(RefusedError):
    message = "App {slug} not supported on this platform, supported architectures: {architectures}"
    error_key = "addon_not_supported_architecture_error"


class AddonMachineError(RefusedError):
    message = "App {slug} not supported on this machine, supported machine types: {machine_types}"
    error_key = "addon_not_supported_machine_type_error"


class AddonCoreVersionError(RefusedError):
    message = "App {slug} not supported on this system, requires Home Assistant version {version} or greater"
    error_key = "addon_not_supported_home_assistant_version_error"


class AddonStartError(RefusedError):
    """A launch failed and its intent was withdrawn."""


class ImagePullError(RefusedError):
    """An image could not be brought to a node. `reason` is the container runtime's own sentence."""

    message = "Image {image} cannot be pulled: {reason}"


class RateLimitError(ImagePullError):
    """The registry has given as much as it gives for now. 429."""

    message = "Container registry rate limit exceeded"
    error_key = "container_registry_rate_limit_exceeded"


class HubRateLimitError(RateLimitError):
    message = (
        "Your IP address has made too many requests to Docker Hub which activated a rate limit. "
        "For more details see {dockerhub_rate_limit_url}"
    )
    error_key = "dockerhub_rate_limit_exceeded"


class GithubRateLimitError(RateLimitError):
    message = (
        "GitHub Container Registry rate limited the request. This is typically transient; the update will be retried."
    )
    error_key = "ghcr_rate_limit_exceeded"


class RegistryLoginError(ImagePullError):
    """The registry does not take the login that is kept for it."""

    message = "Docker registry authentication failed for {registry}. Check your registry credentials"
    error_key = "docker_registry_auth_error"


class AddonPortConflictError(RefusedError):
    """With `owner`, an add-on's slug or `the node`, and `free`, a port that could be had; the rest is upstream's."""

    message = "Cannot start app {name} because port {port} is already in use by {owner}; port {free} is free"
    error_key = "app_port_conflict"


class AddonRebuildImageError(RefusedError):
    message = "Can't rebuild an image-based app"
    error_key = "app_rebuild_image_based_error"


class AddonRebuildVersionError(RefusedError):
    message = "The store has another version of app {app}: update it instead of building it anew"
    error_key = "app_rebuild_version_changed_error"


class AddonDockerfileError(RefusedError):
    message = "App {app} names no image and has no Dockerfile, so it can neither be pulled nor built"
    error_key = "app_build_dockerfile_missing_error"


class AddonBuildArchitectureError(RefusedError):
    message = "App {app} cannot be built here: its build file is for {app_arches}, this system is {system_arches}"
    error_key = "app_build_architecture_not_supported_error"


class AddonBuildError(UnknownError):
    """An image was not built, or not pushed. `reason` ends with what the builder said last. 500, as upstream."""

    message = "App {app} cannot be built: {reason}"
    error_key = "app_build_failed_unknown_error"


class AddonNoBuilderError(RefusedError):
    """Upstream always has a builder; its key for a build that failed is the one that clients know."""

    message = (
        "App {app} has no image and would have to be built, and nothing is built on this cluster yet: set "
        "SUPERVISOR_K8S_BUILD_REGISTRY to a registry that takes its image"
    )
    error_key = "app_build_failed_unknown_error"


class AddonNoUpdateError(RefusedError):
    message = "No update available for app {app}"
    error_key = "app_no_update_available_error"


class AddonNotSupportedError(RefusedError):
    """The manifest asks for something this cluster does not allow; the text says what and how to allow it."""


class ManifestError(RefusedError):
    """An add-on's manifest is not valid; the store skips it. Names the key, its value and what would be right."""

    message = "Manifest key {key} is {value}; it must be {right}"


# --- the cluster -------------------------------------------------------------------------------------------------


class ClusterError(SupervisorError):
    """The API server answered with an error, or did not answer."""


class ClusterRefusedError(ClusterError):
    """A permanent refusal (invalid, forbidden, immutable): trying again changes nothing."""


class ClusterConflictError(ClusterError):
    """Somebody else changed the object first, or the precondition does not hold."""


class ClusterNotFoundError(ClusterRefusedError):
    """The object, or the whole kind, does not exist."""


class ClusterExpiredError(ClusterError):
    """The API server has forgotten the state we asked to continue from; list anew."""


class ClusterUnavailableError(ClusterError, NotReadyError):
    """The API server cannot be reached or is overloaded; worth another try."""


class ClusterInterruptedError(ClusterUnavailableError):
    """The answer broke off after it had begun: what was asked for is there, and may be asked for again."""


class NotInChargeError(ClusterUnavailableError):
    """This Supervisor does not hold the Lease: another one may act, so this one must not. Worth another try."""

    message = "This Supervisor changes nothing now, because the Lease is not its own: {why}"


class TookTooLongError(SupervisorError):
    """A wait on the cluster passed its deadline."""


# --- state, services, discovery ----------------------------------------------------------------------------------


class StateFileError(SupervisorError):
    """One of our files on the state volume cannot be read or written."""


class StateFileDamagedError(StateFileError):
    """A state file was no valid document; it was moved aside to `aside` in the same directory."""

    message = "{path} is damaged ({reason}); it was moved aside to {aside}"


class StorageError(SupervisorError):
    """The shared volume is not what we need; the text says what to change."""


class RegistryNotFoundError(NotFoundError):
    message = "Hostname {hostname} does not exist in registries"


class ServiceNotFoundError(NotFoundError):
    message = "Service does not exist"


class ServiceAlreadyProvidedError(ConflictError):
    message = "Service {service} is already provided by app {app}"
    error_key = "service_already_provided_error"


class ServiceNotProvidedError(NotFoundError):
    message = "Service {service} is not provided by any app"
    error_key = "service_not_provided_error"


class RepositoryError(RefusedError):
    """A store repository cannot be cloned, read or removed."""


class RepositoryAlreadyAddedError(ConflictError):
    message = "Repository {url} is already in the store"
    error_key = "store_repository_already_added_error"


class DiscoveryNotFoundError(NotFoundError):
    message = "Discovery message not found"


class RepositoryNotFoundError(NotFoundError):
    message = "Repository {repository} does not exist in the store"


class LocalRepositoryError(RefusedError):
    message = "Can't reset repository {local_repo} as it is not git based!"
    error_key = "store_repository_local_cannot_reset"


class CoreUnreachableError(SupervisorError):
    """Home Assistant Core does not answer through the link."""


class CoreAnswerError(SupervisorError):
    """Home Assistant Core answered with an error. `status` is the HTTP status, or `code` the websocket's error code."""

    message = "Home Assistant Core refused {request}: {reason}"


class CoreVersionInstalledError(RefusedError):
    message = "Home Assistant version {version} is already installed"
    error_key = "homeassistant_update_already_installed_error"


class CoreUpdateError(RefusedError):
    """An update of Home Assistant Core failed; the text says what runs now."""

    error_key = "homeassistant_update_error"


class VersionsUnavailableError(SupervisorError):
    message = "The versions at {url} cannot be read: {reason}"


class ImageConfigUnavailableError(SupervisorError):
    message = "The registry of image {image} does not say what is in it: {reason}"


class RegistryAwayError(ImageConfigUnavailableError):
    """It does not answer at all, so it will not for other images either."""


class LeaksUnavailableError(SupervisorError):
    message = "The service that knows leaked passwords cannot be asked: {reason}"


class ConfigInvalidError(RefusedError):
    """Core's checker does not take the live configuration; the text is all that it wrote."""


class CandidateInvalidError(RefusedError):
    """Core's checker does not take a configuration that somebody wants to make live. `errors` and `warnings` have its
    sentences, the latter without those that the live configuration has, too.
    """

    error_key = "homeassistant_candidate_invalid_error"


class ConfigurationNotEditableError(RefusedError):
    """It stays as it is, and a person must do it."""

    message = "configuration.yaml is left as it is: {reason}"


class OneOffError(SupervisorError):
    """A program that was to run once gave no answer."""

    message = "{name} gave no answer: {reason}"


class OwnUpdateError(RefusedError):
    """The Supervisor was not updated, and is what it was."""


class CoreNotRunningError(RefusedError):
    message = "Home Assistant is not running"


class CoreMigratingError(NotReadyError):
    """Stopping Core now would damage its database; `force` does it anyway."""

    message = "Offline database migration in progress, try again after it has completed"


class CoreStartError(RefusedError):
    """Home Assistant Core did not come up. The intent stands: Kubernetes goes on trying."""

    error_key = "homeassistant_start_error"


class BusyError(RefusedError):
    """Another operation on the same thing is under way."""

    message = "Another job is running for job group {group}"


class JobNotFoundError(NotFoundError):
    message = "Job does not exist"


class JobNotDoneError(RefusedError):
    message = "Job {uuid} is not done!"


# --- resolution --------------------------------------------------------------------------------------------------


class IssueNotFoundError(NotFoundError):
    message = "Issue {uuid} does not exist"
    error_key = "resolution_issue_not_found_error"


class SuggestionNotFoundError(NotFoundError):
    message = "Suggestion {uuid} does not exist"
    error_key = "resolution_suggestion_not_found_error"


class CheckNotFoundError(NotFoundError):
    message = "Check {check} does not exist"
    error_key = "resolution_check_not_found_error"


# --- ingress -----------------------------------------------------------------------------------------------------


class IngressSessionError(UnauthorizedError):
    """The session is unknown or over."""


class FrontError(SupervisorError):
    """nginx, by which everybody reaches us and pages of add-ons, does not do what we need of it."""

    message = "The nginx in front of the API does not work: {why}"


# --- logins ------------------------------------------------------------------------------------------------------


class LoginUnavailableError(UnknownError):
    message = "Unable to validate authentication details with Home Assistant. Check Supervisor logs for details"
    error_key = "auth_home_assistant_api_validation_error"


class LoginNoTextError(UnauthorizedError):
    message = "Username and password must be strings"
    error_key = "auth_invalid_non_string_value_error"


class PasswordResetError(RefusedError):
    message = "Unable to reset password for '{user}'. Check that the user exists with '{auth_list_command}'"
    error_key = "auth_password_reset_error"


class UserListError(UnknownError):
    message = "Can't request listing users on Home Assistant. Check Supervisor logs for details"
    error_key = "auth_list_users_error"
