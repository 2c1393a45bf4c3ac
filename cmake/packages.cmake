# The Debian packages, one for each component of the installation; scripts/package builds them. Last in the top CMakeLists.txt: it must see every component.
if(PROSE_SANITIZE OR PROSE_FUZZ)
  return()
endif()
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME prose)
set(CPACK_PACKAGE_VENDOR prose)
set(CPACK_PACKAGE_CONTACT "prose maintainers <maintainers@prose.invalid>")  # SECURITY.md: there is no address
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "LTE sidelink (ProSe) with separately keyed links")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SECTION net)

# UHD, mbedTLS and the C library differ between the releases, so the packages do, and tell it.
set(release unknown)
if(EXISTS /etc/os-release)
  file(STRINGS /etc/os-release lines)
  foreach(key ID VERSION_ID)
    string(REGEX MATCH "(^|;)${key}=\"?([^;\"]*)" _ "${lines}")
    set(os_${key} ${CMAKE_MATCH_2})
  endforeach()
  string(REPLACE debian deb release "${os_ID}${os_VERSION_ID}")
endif()
set(CPACK_DEBIAN_PACKAGE_RELEASE 1~${release})
if(PROSE_NATIVE)
  string(APPEND CPACK_DEBIAN_PACKAGE_RELEASE +native)  # for this machine's processor
endif()

# --- prose ---
set(CPACK_DEBIAN_PROSE_PACKAGE_NAME prose)
set(CPACK_COMPONENT_PROSE_DESCRIPTION "UE, sniffer, server, recorder and emulated radio for LTE sidelink discovery
and communication. Programs: prose-ue, prose-sniffer, prose-function,
prose-keys, prose-iq, prose-air, prose-bler, prose-town, prose-page,
prose-demo, prose-lab.
The emulated radio is a UHD device (type=virtual). A research prototype without
an independent audit.")
set(CPACK_DEBIAN_PROSE_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROSE_PACKAGE_DEPENDS "adduser, python3:any")
set(CPACK_DEBIAN_PROSE_PACKAGE_RECOMMENDS "gnuplot-nox, iproute2, iputils-ping")
set(CPACK_DEBIAN_PROSE_PACKAGE_SUGGESTS "wireshark | tshark, uhd-host, bash-completion")
set(debian ${PROJECT_SOURCE_DIR}/cmake/debian)
set(CPACK_DEBIAN_PROSE_PACKAGE_CONTROL_EXTRA ${debian}/postinst ${debian}/prerm ${debian}/postrm)

# --- libprose-dev ---
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libprose-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEV_DESCRIPTION "Static libraries and headers of prose: physical layer, MAC,
security, radios. For find_package(prose) and pkg-config; examples are in
/usr/share/doc/libprose-dev/examples.")
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libexpected-dev, libuhd-dev, libliquid-dev, libfftw3-dev, libmbedtls-dev")

# --- python3-prose ---
set(components prose dev)
if(TARGET prose_python)
  list(APPEND components python)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-prose)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
  set(CPACK_COMPONENT_PYTHON_DESCRIPTION "LTE sidelink in Python: recordings and arrays to events, grids,
channel estimates, waveforms of any channel, verdicts, capture files. Examples
are in /usr/share/doc/python3-prose/examples.")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_SHLIBDEPS ON)
  # The compiled module is for one version of Python.
  string(REGEX REPLACE "^3\\." "" minor "${PROSE_PYTHON_VERSION}")
  math(EXPR next "${minor} + 1")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "python3 (>= 3.${minor}), python3 (<< 3.${next}), python3-numpy")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_RECOMMENDS gnuplot-nox)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_EXTRA ${debian}/python3-prose/postinst ${debian}/python3-prose/prerm)
endif()

# --- prose-mpi ---
if(TARGET prose_mpi)
  list(APPEND components mpi)
  set(CPACK_DEBIAN_MPI_PACKAGE_NAME prose-mpi)
  set(CPACK_DEBIAN_MPI_PACKAGE_SECTION net)
  set(CPACK_COMPONENT_MPI_DESCRIPTION "Campaigns of prose-bler and prose-town in many processes,
under mpirun of Open MPI. A script for Slurm is in
/usr/share/doc/prose-mpi/examples.")
  set(CPACK_DEBIAN_MPI_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_MPI_PACKAGE_DEPENDS "prose, openmpi-bin")
endif()

# --- what every Debian package has: copyright and changelog ---
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)  # of SOURCE_DATE_EPOCH, where it is set
foreach(component ${components})
  string(TOUPPER ${component} upper)
  set(name ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(folder ${CMAKE_BINARY_DIR}/install/${name})
  file(WRITE ${folder}/changelog "prose (${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n
  * Version ${PROJECT_VERSION}: /usr/share/doc/prose/CHANGELOG.md says what is new.\n
 -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  execute_process(COMMAND gzip -9nc ${folder}/changelog OUTPUT_FILE ${folder}/changelog.Debian.gz COMMAND_ERROR_IS_FATAL ANY)
  install(FILES cmake/debian/copyright ${folder}/changelog.Debian.gz DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component})
endforeach()
include(CPack)
